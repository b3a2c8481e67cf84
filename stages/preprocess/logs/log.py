"""The interaction log as every reader hands it over."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import polars as pl

from stages.artifacts.errors import UsageError
from stages.frame.reporter import Reporter
from stages.preprocess.columns import PART, TIME
from stages.preprocess.logs.clock import Clock
from stages.preprocess.options import Moment
from stages.preprocess.sources.formats import Format
from stages.preprocess.sources.sample import Sample

Notes = dict[str, int]
"""Messages by how many of something they tell of; where it stands in the message, there is :data:`COUNT`."""

COUNT = "{count}"


def tell(notes: Notes, reporter: Reporter) -> None:
    """Tell what was found while users were put together."""
    for message, count in notes.items():
        reporter.info(message.replace(COUNT, f"{count:,}"))


@dataclass(frozen=True)
class LogColumns:
    """Which columns hold what; ``None`` leaves the choice to the format.

    Attributes:
        user: the user's id.
        item: the item's id.
        time: when it happened.
        rating: the rating, read only when ``rating_min`` is given.
        rating_min: interactions rated lower, or not rated, are dropped.
        time_format: how times are written that are neither numbers nor year first.
        where: an SQL expression; interactions for which it does not hold are dropped.
    """

    user: str | None = None
    item: str | None = None
    time: str | None = None
    rating: str | None = None
    rating_min: float | None = None
    time_format: str | None = None
    where: str | None = None


@dataclass(frozen=True)
class Log:
    """Interactions in the order of the files.

    Attributes:
        frame: ``USER`` and ``ITEM`` (string), ``TIME`` (int64), and ``PART`` (int8) when the split is published. A
            user's rows of a published split stand in the order of the history.
        has_times: whether the log says when things happened; without, the order of the rows is the order of events.
        published_split: the split comes with the data and is kept.
        dropped: how many rows were left out, by reason.
        scale: what the times as the files write them were multiplied by, to keep their fractions.
        doubtful: how many rows have an id that may stand for nothing, by ``user`` and ``item`` and by word.
        rows: how many the files have, as they were read.
    """

    frame: pl.DataFrame
    has_times: bool
    published_split: bool
    dropped: dict[str, int]
    scale: int = 1
    doubtful: dict[str, dict[str, int]] = field(default_factory=dict)
    rows: int = 0

    def without_split(self, by_time: bool) -> "Log":
        """The same interactions without the published split.

        Args:
            by_time: put them in the order of their times; otherwise the order of the histories stands, in which
                interactions without a time have their place.
        """
        if not self.published_split:
            return self
        return replace(self, frame=self.frame.drop(PART), has_times=self.has_times and by_time, published_split=False)

    def between(self, since: Moment | None, until: Moment | None, clock: Clock) -> "Log":
        """The interactions at ``since`` or later and before ``until``; ``None`` sets no bound.

        Raises:
            UsageError: when there are no times, or the split is published and its histories would have holes.
        """
        log = self
        for moment, option in ((since, "--since"), (until, "--until")):
            if moment is None:
                continue
            if self.published_split:
                raise UsageError(
                    f"{option} cannot be used with a published split, whose parts belong together",
                    "Divide the log anew with --split leave-one-out or --split temporal.",
                )
            if not self.has_times:
                raise UsageError(
                    f"{option} needs a log with times", "Name the column that holds them with --time-column."
                )
            bound = clock.read(moment, option)
            inside = pl.col(TIME) >= bound if option == "--since" else pl.col(TIME) < bound
            kept = log.frame.filter(inside)
            reason = f"interactions outside {option} {moment}"
            log = replace(log, frame=kept, dropped={**log.dropped, reason: log.frame.height - kept.height})
        return log


@dataclass(frozen=True)
class Rows:
    """The rows of one file of a log, not read yet.

    Attributes:
        frame: the columns that are needed, with times as ``quick_time`` gives them.
        kept: leaves out of rows of ``frame`` those that are not wanted, each by itself; ``None`` keeps all.
    """

    frame: pl.LazyFrame
    kept: Callable[[pl.DataFrame], pl.DataFrame] | None = None


class LogReader(Format, Protocol):
    """One format of interaction logs. A new format is one such object, listed in ``logs.readers.LOG_READERS``."""

    def complete(self, samples: list[Sample]) -> list[Sample]:
        """All files that belong to the given ones, in reading order.

        Raises:
            CocorecError: when one is missing or the given ones do not belong together.
        """
        ...

    def resolve(self, samples: list[Sample], columns: LogColumns) -> LogColumns:
        """The columns that will be read, with every choice made.

        Raises:
            DataError: when a file lacks one, naming those there are.
        """
        ...

    def read(self, samples: list[Sample], columns: LogColumns, reporter: Reporter) -> Log:
        """Read the log.

        Args:
            samples: the files, as :meth:`complete` gave them.
            columns: as :meth:`resolve` gave them.

        Raises:
            DataError: when a file is malformed.
        """
        ...

    # What ``read`` is made of, in this order, for those who read a log in parts.

    def with_rows(self, samples: list[Sample]) -> list[Sample]:
        """Those of the files that hold interactions."""
        ...

    def rows_of(self, number: int, samples: list[Sample], columns: LogColumns) -> Rows:
        """The rows of one of these files, by its place among them.

        Raises:
            DataError: when the file is damaged where the engine looks at it already now.
        """
        ...

    def require_interactions(self, rows: int, kept: int, samples: Sequence[Sample], columns: LogColumns) -> None:
        """Refuse a log without rows, or of whose rows none is kept.

        Raises:
            DataError: saying so.
        """
        ...

    def clean(
        self, frame: pl.DataFrame, samples: Sequence[Sample], columns: LogColumns
    ) -> tuple[pl.DataFrame, dict[str, int]]:
        """Rows without those that are no interactions, each judged by itself; and how many are dropped, by reason.

        Raises:
            DataError: when a value cannot be understood.
        """
        ...

    def put_together(
        self, frame: pl.DataFrame, samples: list[Sample], columns: LogColumns, has_times: bool
    ) -> tuple[pl.DataFrame, dict[str, int], Notes]:
        """The interactions of users, all of whose rows are there, in the order of the files, with times on one scale.

        Args:
            frame: as :meth:`clean` gave it.
            samples: all files.
            columns: as :meth:`resolve` gave them.
            has_times: whether any row of the log has a time.

        Returns:
            The frame of a :class:`Log`, how many rows are dropped, by reason, and what is to be told of it.

        Raises:
            DataError: when rows contradict each other.
        """
        ...

    @property
    def published_split(self) -> bool:
        """Whether its logs come with their split."""
        ...
