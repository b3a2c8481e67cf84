"""Trains and evaluates models on data sets as ``runs.toml`` says, and goes on where it was interrupted.

    python -m benchmarks.quality.run DATA --runs RUNS [--data scientific,beauty-2014] [--rows default,text] [--seeds 0]

DATA is the folder that holds the data sets, a folder each. What is finished and up to date is left alone. Printed is
the validation NDCG@10 alone; `python -m benchmarks.quality.tables RUNS` makes the tables. `--split valid` is for
exploration: it does not look at the test split, of which every evaluation is counted in RUNS/journal.jsonl. Several
runners may share the work: a run that another one is at is left to it. With `--prepared` the folders RUNS/DATA/prepared
are taken as they are, for a machine, with a GPU perhaps, that lacks polars or the data sets.
"""

import argparse
import signal
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from benchmarks.quality import command, journal
from benchmarks.quality.epochs import EPOCHS, note_end, watching
from benchmarks.quality.folders import (
    SPLITS,
    is_finished,
    link_evaluation,
    link_run,
    prepared_folder,
    run_folder,
)
from benchmarks.quality.plan import PREPARATION, DataSet, Plan, Row, arguments, chosen, read_plan
from stages.artifacts.errors import CocorecError, UsageError
from stages.artifacts.lineage import read_lineage
from stages.artifacts.names import MODEL_CONFIG
from stages.evaluate.options import EvaluateOptions

PLAN = Path(__file__).with_name("runs.toml")


class CommandError(Exception):
    """A command of cocorec failed."""


class Runner:
    """Runs what a plan says.

    Args:
        plan: data sets and rows.
        source: the folder of all data sets.
        runs: where everything goes.
        split: what is evaluated.
        say: is told about progress.
        prepared: data sets are prepared already, and are taken as they are.
    """

    def __init__(
        self, plan: Plan, source: Path, runs: Path, split: str, say: Callable[[str], None], prepared: bool = False
    ) -> None:
        self.plan, self.source, self.runs, self.split, self.say = plan, source, runs, split, say
        self.prepared = prepared

    def all(self, data: list[str], rows: list[str], seeds: list[int] | None) -> list[str]:
        """Run data sets, rows and seeds, in this order; what failed is told and returned."""
        failed = []
        for name in data:
            try:
                if not self.prepared:
                    self.prepare(self.plan.data[name])
            except CommandError as error:
                failed.append(f"{name}: {error}")
                continue
            for row in (self.plan.rows[name] for name in rows):
                if row.same_as:
                    self.say(f"{name} {row.name}: the same options as {row.same_as}")
                    continue
                for seed in (seed for seed in row.seeds if seeds is None or seed in seeds):
                    try:
                        self.run(name, row, seed)
                    except CommandError as error:
                        failed.append(f"{name} {row.name} seed {seed}: {error}")
        for line in failed:
            self.say(f"failed: {line}")
        return failed

    def prepare(self, data: DataSet, until: str | None = None) -> None:
        """Preprocess, embed and quantize a data set; each command sees by itself whether it is up to date."""
        if data.like and "embed" in data.stages:
            self.prepare(self.plan.data[data.like], until="embed")
        folder = prepared_folder(self.runs, data.name)
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name("prepared.lock")):
            for stage, options in PREPARATION.items():
                if stage not in data.stages:
                    continue
                given = arguments(options, data.stages[stage], self.source / data.folder)
                if stage == "embed" and data.like:
                    given += ["--reuse", str(prepared_folder(self.runs, data.like))]
                self._command([stage, *given], folder, {"stage": stage, "data": data.name})
                if stage == until:
                    break

    def run(self, data: str, row: Row, seed: int) -> None:
        """Train and evaluate a model, unless that is done."""
        folder = run_folder(self.runs, data, row.name, seed)
        folder.mkdir(parents=True, exist_ok=True)
        labels = {"data": data, "row": row.name, "seed": seed}
        try:
            with FileLock(folder / "runner.lock", blocking=False):
                link_run(prepared_folder(self.runs, data), folder)
                if not is_finished(folder, "train", row.options(seed)):
                    self._train(row.command(seed), folder, labels)
                evaluated = link_evaluation(folder, self.split)
                options = EvaluateOptions(split=self.split)
                if not is_finished(evaluated, "evaluate", options):
                    given = ["evaluate", *arguments(EvaluateOptions, {"split": self.split})]
                    self._command(given, evaluated, {"stage": "evaluate", **labels, "split": self.split})
        except Timeout:
            self.say(f"{data} {row.name} seed {seed}: another runner is at it")
            return
        lineage = read_lineage(folder / MODEL_CONFIG)
        facts = lineage.facts if lineage else {}
        found = f"validation NDCG@10 {facts['validation']['ndcg@10']:.4f}, epoch {facts['best_epoch']}"
        self.say(f"{data} {row.name} seed {seed}: {found} of {facts['epochs']}")

    def _train(self, given: list[str], folder: Path, labels: dict[str, Any]) -> None:
        path, attempt = folder / EPOCHS, uuid.uuid4().hex
        before = command.children_seconds()
        try:
            self._command(given, folder, {"stage": "train", **labels}, watching(path, attempt))
        finally:
            note_end(path, attempt, round(command.children_seconds() - before, 2))

    def _command(
        self, given: list[str], workdir: Path, labels: dict[str, Any], watch: command.Watch | None = None
    ) -> None:
        path = self.runs / journal.JOURNAL
        labels = {**labels, "run": uuid.uuid4().hex}
        journal.append(path, {"event": "begun", **labels})
        threads = [] if "--threads" in given else ["--threads", "1"]
        log = workdir / f"{labels['stage']}.log"
        try:
            outcome = command.run([*given, "--workdir", str(workdir), *threads], log, watch)
        except command.StoppedError as stopped:
            journal.append(path, {"event": "stopped", **labels, **_cost(stopped.outcome)})
            raise
        event = "failed" if outcome.code else "done"
        journal.append(path, {"event": event, **labels, **_cost(outcome)})
        if outcome.code:
            raise CommandError(f"`cocorec {labels['stage']}` ended with {outcome.code}, see {log}\n{outcome.errors}")


def _cost(outcome: command.Outcome) -> dict[str, Any]:
    skipped = {"skipped": True} if outcome.skipped else {}
    return {"cpu_seconds": outcome.cpu_seconds, "wall_seconds": outcome.wall_seconds, **skipped}


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM ends the runner as an interrupt does: with the command that it waits for."""

    def stop(number: int, frame: Any) -> None:
        sys.exit(128 + number)

    former = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


def main(argv: list[str] | None = None) -> int:
    """Run what is asked for; 1 where a command failed, 2 where the request does not fit, 130 where it was stopped."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, metavar="DATA", help="folder of the data sets")
    parser.add_argument("--runs", type=Path, required=True, help="folder of the runs, made when missing")
    parser.add_argument("--plan", type=Path, default=PLAN, help="TOML file; benchmarks/quality/runs.toml by default")
    parser.add_argument("--data", help="names of data sets, separated by commas; all by default")
    parser.add_argument("--rows", help="names of rows; all that are not optional by default")
    parser.add_argument("--seeds", help="numbers; those of each row by default")
    parser.add_argument("--prepared", action="store_true", help="take RUNS/DATA/prepared as they are")
    parser.add_argument("--split", choices=SPLITS, default="test", help="what is evaluated")
    given = parser.parse_args(argv)
    try:
        plan = read_plan(given.plan)
        data = chosen("--data", list(plan.data), given.data)
        usual = [name for name, row in plan.rows.items() if not row.optional]
        rows = chosen("--rows", list(plan.rows), given.rows) if given.rows else usual
        seeds = _numbers(given.seeds)
        _require_folders(given, plan, data)
        runner = Runner(plan, given.source, given.runs, given.split, _say, given.prepared)
        with _ended_by_signals():
            return 1 if runner.all(data, rows, seeds) else 0
    except CocorecError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except (KeyboardInterrupt, command.StoppedError):
        print("stopped; the same command goes on", file=sys.stderr)
        return 130


def _say(line: str) -> None:
    print(line, flush=True)


def _require_folders(given: argparse.Namespace, plan: Plan, data: list[str]) -> None:
    for name in data:
        if given.prepared:
            folder, hint = prepared_folder(given.runs, name), "Copy it there, or leave out --prepared."
        else:
            folder, hint = (
                given.source / plan.data[name].folder,
                "DATA is the folder that holds the data sets' folders.",
            )
        if not folder.is_dir():
            raise UsageError(f"{folder} does not exist", hint)


def _numbers(text: str | None) -> list[int] | None:
    """Seeds separated by commas or spaces.

    Raises:
        UsageError: for what is no whole number.
    """
    words = (text or "").replace(",", " ").split()
    if not all(word.isdecimal() for word in words):
        raise UsageError(f"--seeds {text!r} are no whole numbers", "For example --seeds 0,1,2.")
    return [int(word) for word in words] or None


if __name__ == "__main__":
    sys.exit(main())
