"""The steps around the work of every stage: fingerprints, consistency, freshness, timings, lineage, result."""

import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stages.artifacts.fingerprints import Fingerprints
from stages.artifacts.lineage import RAW, Lineage, fresh_lineage, require_consistent
from stages.artifacts.pipeline import MAKERS
from stages.artifacts.utf8 import require_utf8
from stages.frame.options import Options
from stages.frame.processes.place import writes
from stages.frame.reporter import Reporter
from stages.frame.result import Result


class StageRun:
    """One run of a stage.

        run = StageRun("quantize", options, workdir, reporter)
        run.read(EMBEDDINGS)
        if (done := run.fresh()) and not force:
            return done
        with run.measure("train"):
            ...
        write_table(run.path(CODES), table, run.lineage(facts))
        return run.result(facts)

    Args:
        stage: its name in :data:`stages.artifacts.pipeline.MAKERS`.
        options: as they were given.
        workdir: the work directory.
        reporter: where progress and messages go.

    Attributes:
        fingerprints: of files, remembered in the work directory.
        inputs: the fingerprint of everything read so far, by name.
        recorded: the options that the lineage records; a stage may add what it resolved.
        warnings: what the user should know before using the result.
        seconds: spent so far, by part of the work.
    """

    def __init__(self, stage: str, options: Options, workdir: Path, reporter: Reporter | None) -> None:
        self.stage = stage
        self.workdir = Path(workdir)
        require_utf8(self.workdir, "--workdir")
        self.reporter = reporter or Reporter()
        self.fingerprints = Fingerprints(self.workdir, keep=writes())
        self.inputs: dict[str, str] = {}
        self.recorded: dict[str, Any] = options.recorded()
        self.warnings: list[str] = []
        self.seconds: dict[str, float] = {}
        self._began = time.perf_counter()

    def path(self, name: str) -> Path:
        """Where an artifact of this name lies."""
        return self.workdir / name

    def read(self, *names: str, earlier: bool = False) -> None:
        """Note artifacts as inputs.

        Args:
            names: of the artifacts.
            earlier: they were made from earlier states of the other files, and it was seen to that they still fit.

        Raises:
            DataError: when one is missing or damaged, or when they do not belong together.
        """
        self.inputs |= {name: self.fingerprints.of_contents(self.path(name)) for name in names}
        if not earlier:
            require_consistent(self.workdir, names, self.fingerprints)

    def read_raw(self, name: str, fingerprint: str) -> None:
        """Note an input from outside the work directory; several of one name are numbered."""
        key, number = RAW + name, 2
        while key in self.inputs:
            key, number = f"{RAW}{name}#{number}", number + 1
        self.inputs[key] = fingerprint

    def fresh(self, without: Collection[str] = ()) -> Result | None:
        """The result of an earlier run with the same options and inputs, whose artifacts are all there.

        Args:
            without: artifacts that do not count, such as those that earlier versions did not make.
        """
        lineage, _ = fresh_lineage(self.workdir, self.stage, self.recorded, self.inputs, self.fingerprints, without)
        return Result(self.stage, self._outputs(), lineage.facts, skipped=True) if lineage else None

    def warn(self, message: str) -> None:
        """Tell the user at once, and again with the result."""
        self.warnings.append(message)
        self.reporter.warn(message)

    @contextmanager
    def measure(self, part: str) -> Iterator[None]:
        """Add the seconds of a block to a part of the work."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[part] = self.seconds.get(part, 0.0) + time.perf_counter() - began

    def lineage(self, facts: Mapping[str, Any]) -> Lineage:
        """Where the artifacts of this run come from."""
        return Lineage(self.stage, self.recorded, self.inputs, facts)

    def result(self, facts: Mapping[str, Any], *, rates: Mapping[str, float] | None = None) -> Result:
        """What the stage hands back.

        Args:
            facts: what it reports.
            rates: timings that are no parts of the work, such as texts per second.
        """
        timings = {**self.seconds, "total": time.perf_counter() - self._began, **(rates or {})}
        return Result(self.stage, self._outputs(), facts, warnings=tuple(self.warnings), timings=timings)

    def _outputs(self) -> dict[str, Path]:
        return {name: self.path(name) for name in MAKERS[self.stage].outputs}
