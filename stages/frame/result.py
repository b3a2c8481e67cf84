"""What a stage hands back to whoever called it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stages.artifacts.errors import DataError


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


@contextmanager
def facts_of_a_file(stage: str, path: Path) -> Iterator[None]:
    """Inside the block, facts are used that come from a file, which may say anything.

    Args:
        stage: that should have written the file.
        path: the file.

    Raises:
        DataError: when the facts are not what the stage writes.
    """
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, AssertionError) as error:
        raise DataError(
            f"{path}: its lineage does not report what `cocorec {stage}` writes ({type(error).__name__}: {error})",
            f"Run `cocorec {stage} --force` to write it again.",
        ) from error
