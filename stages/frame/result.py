"""What a stage hands back to whoever called it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Result:
    """The outcome of a stage.

    Attributes:
        stage: its name.
        outputs: the artifacts it made, by their names in the work directory.
        facts: what it reports, as JSON values; the same facts stand in the lineage of the artifacts.
        skipped: nothing was done because the artifacts were up to date.
        warnings: what the user should know before using the result.
        timings: seconds by part of the work, of this run alone.
    """

    stage: str
    outputs: Mapping[str, Path]
    facts: Mapping[str, Any]
    skipped: bool = False
    warnings: tuple[str, ...] = ()
    timings: Mapping[str, float] = field(default_factory=dict)
