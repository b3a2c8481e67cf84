"""What processes are started for: a stage, its options and its work directory, as text that they are handed."""

import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stages.artifacts.json_text import json_text
from stages.frame.options import Options, declarations
from stages.frame.reporter import Reporter
from stages.frame.result import Result


@dataclass(frozen=True)
class Task:
    """A call of a stage.

    Attributes:
        stage: where it is found, such as ``stages.train:train``.
        options: as they were given.
        workdir: the work directory.
        force: run even if the results are up to date.
        count: how many processes share the work.
        handed: further arguments of the stage, JSON values by name.
        prints: the first process hands the stage, as ``stdout``, a file whose text the caller prints.
    """

    stage: str
    options: Options
    workdir: Path
    force: bool
    count: int
    handed: Mapping[str, Any] = field(default_factory=dict)
    prints: bool = False

    def to_text(self) -> str:
        """The task as JSON."""
        values = {found.name: getattr(self.options, found.name) for found in declarations(type(self.options))}
        kind = type(self.options)
        return json_text(
            {
                "stage": self.stage,
                "kind": [kind.__module__, kind.__name__],
                "options": {name: str(value) if isinstance(value, Path) else value for name, value in values.items()},
                "workdir": str(self.workdir),
                "force": self.force,
                "count": self.count,
                "handed": self.handed,
                "prints": self.prints,
            }
        )

    @classmethod
    def from_text(cls, text: str) -> "Task":
        """The task from :meth:`to_text`."""
        read = json.loads(text)
        module, name = read["kind"]
        options = getattr(importlib.import_module(module), name)(**read["options"])
        rest = {name: read[name] for name in ("force", "count", "handed", "prints")}
        return cls(read["stage"], options, Path(read["workdir"]), **rest)

    def run(self, reporter: Reporter, **more: Any) -> Result:
        """Call the stage.

        Args:
            reporter: of this process.
            more: what it is handed beside :attr:`handed`.
        """
        module, _, name = self.stage.partition(":")
        stage: Any = getattr(importlib.import_module(module), name)
        surroundings = {"workdir": self.workdir, "force": self.force, "reporter": reporter}
        result: Result = stage(self.options, **surroundings, **self.handed, **more)
        return result
