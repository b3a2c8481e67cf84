"""The unit of a log's times, and moments that the user names."""

import datetime as dt
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise

import polars as pl

from stages.artifacts.errors import DataError, UsageError
from stages.preprocess.columns import TIME, USER
from stages.preprocess.options import Moment

UNITS: Mapping[str, int] = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
"""How many of each are in a second."""

# From 1990 to 2100, in seconds: in these years no number is a plausible date in two units.
_FIRST, _LAST = 631_152_000, 4_102_444_800
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Clock:
    """What the times of a log are.

    Attributes:
        unit: a key of ``UNITS``, or ``None`` where the times are no dates (positions, counters) or there are none.
        implausible: times that are not within 1990..2100 although others are; 0 without a unit.
        scale: what the numbers of the files were multiplied by, to keep their fractions.
    """

    unit: str | None
    implausible: int
    scale: int = 1

    def read(self, moment: Moment, option: str) -> int:
        """A moment that the user named, in the unit of the log.

        Args:
            moment: an ISO date or time (UTC where it names no zone), or a number in the unit of the log's files.
            option: the option that holds it, for messages.

        Raises:
            UsageError: when it is neither, a date although the log's times are no dates, or a number such as 2024 that
                is no time in the unit of the log.
        """
        with suppress(ValueError, OverflowError):
            return self._plausible(int(moment) * self.scale, option)
        try:
            time = dt.datetime.fromisoformat(str(moment).strip())
        except ValueError:
            raise UsageError(
                f"{option} {moment} is neither a date nor a whole number",
                "Give a date such as 2024-05-31 or 2024-05-31T12:00:00Z, or a number in the unit of the log's times.",
            ) from None
        if self.unit is None:
            raise UsageError(
                f"{option} {moment} is a date, but the times of the log are not",
                f"Give {option} as a number on the scale of the log's times.",
            )
        time = time if time.tzinfo else time.replace(tzinfo=dt.UTC)
        return (time - _EPOCH) // dt.timedelta(microseconds=1) * UNITS[self.unit] // 10**6

    def _plausible(self, number: int, option: str) -> int:
        if self.unit is not None and not _FIRST <= number // UNITS[self.unit] < _LAST:
            raise UsageError(
                f"{option} {number // self.scale} is not within the years 1990 to 2100 in {self._written()}, the unit "
                "of the log's times",
                "Give a date such as 2024-05-31, or a number in this unit.",
            )
        return number

    def _written(self) -> str:
        """The unit of the numbers in the files."""
        wanted = UNITS[str(self.unit)] // self.scale
        return next((unit for unit, number in UNITS.items() if number == wanted), str(self.unit))


def read_clock(frame: pl.DataFrame, scale: int = 1) -> Clock:
    """Find the unit of ``TIME`` from the size of the numbers.

    Args:
        frame: ``TIME`` and ``USER``.
        scale: what the numbers of the files were multiplied by; without that they are looked at.

    Raises:
        DataError: when the times are in several units.
    """
    return clock_of(
        count_units(frame, scale),
        scale,
        lambda found: lies_between(frame, found, scale),
        lambda unit: example_of(frame, unit, scale),
    )


def count_units(frame: pl.DataFrame, scale: int) -> dict[str, int]:
    """How many times there are (``all``), and how many are a plausible date in each unit."""
    tests = [_within(unit, scale).sum().alias(unit) for unit in UNITS]
    return frame.select(pl.col(TIME).count().alias("all"), *tests).row(0, named=True)


def lies_between(frame: pl.DataFrame, found: list[str], scale: int) -> bool:
    """Whether a time lies between those that are plausible in two neighbours of the units that were found."""
    between = pl.any_horizontal(
        _time(scale).is_between(_LAST * UNITS[low], _FIRST * UNITS[high], closed="left")
        for low, high in pairwise(found)
    )
    return bool(frame.select(between.any()).item())


def example_of(frame: pl.DataFrame, unit: str, scale: int) -> str | None:
    """A time that is plausible in this unit, and whose it is; ``None`` where there is none."""
    row = frame.filter(_within(unit, scale)).head(1)
    return f"{row[TIME][0]} of user {row[USER][0]!r}" if row.height else None


def clock_of(
    counts: Mapping[str, int],
    scale: int,
    between: Callable[[list[str]], bool],
    example: Callable[[str], str | None],
) -> Clock:
    """The clock of a log.

    Args:
        counts: of :func:`count_units`, of the whole log.
        scale: as in :func:`read_clock`.
        between: :func:`lies_between` of the whole log.
        example: :func:`example_of` of the whole log.

    Raises:
        DataError: when the times are in several units.
    """
    found = [unit for unit in UNITS if counts[unit]]
    if not found:
        return Clock(None, 0, scale)
    if len(found) == 1:
        per_second = UNITS[found[0]] * scale
        finer = next((unit for unit, number in UNITS.items() if number == per_second), None)
        return Clock(finer, counts["all"] - counts[found[0]] if finer else 0, scale)
    # A counter passes through the numbers between two units; dates do not.
    if between(found):
        return Clock(None, 0, scale)
    examples = [f"{counts[unit]:,} in {unit} such as {example(unit)}" for unit in found]
    raise DataError(
        f"the times of the log are in different units: {', '.join(examples)}",
        "Convert them to one unit; ISO dates count as milliseconds.",
    )


def _time(scale: int) -> pl.Expr:
    return pl.col(TIME) if scale == 1 else pl.col(TIME) // scale


def _within(unit: str, scale: int) -> pl.Expr:
    return _time(scale).is_between(_FIRST * UNITS[unit], _LAST * UNITS[unit], closed="left")
