"""Points in time as integers, whatever the log writes, at the precision that it has."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from stages.artifacts.errors import DataError
from stages.preprocess.columns import TIME
from stages.preprocess.sources.sample import Sample

_LEFT = TIME + "_left"
_PART = TIME + "_part"
_BILLION = 10**9
_ROW = "row"
_ZONES = ("%z", "%:z", "%#z")
_HOURS = ("%H", "%I", "%k", "%l", "%T", "%R", "%X", "%s", "%c", "%r")
_LIMIT = 2**63 - 1

TimeUnit = Literal["ns", "us", "ms"]

_DECIMAL = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)$"
_FLOAT = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)[eE][+-]?[0-9]+$"
_DATE = (
    r"^(?<year>[0-9]{4})[-/](?<month>[0-9]{1,2})[-/](?<day>[0-9]{1,2})"
    r"(?:(?:[Tt]| +)(?<hour>[0-9]{1,2}):(?<minute>[0-9]{2})(?::(?<second>[0-9]{2})(?:[.,](?<part>[0-9]+))?)?"
    r" *(?<zone>Z|z|UTC|GMT|(?:[+-][0-9]{2}(?::?[0-9]{2})?(?: UTC)?))?)?$"
)
"""Year first: ISO 8601, also without its T and its seconds, PostgreSQL (``+00``), BigQuery (`` UTC``), SQL Server."""

READABLE = "a time: a number, or a date such as 2024-05-31T12:00:00Z"


def quick_time(column: str | None, dtype: pl.DataType | None, layout: str | None = None) -> list[pl.Expr]:
    """Expressions for ``TIME`` (int64), for parts of a second, and for the texts left to :func:`finish_times`.

    Whole numbers are taken as they are, in the unit of the log. Of dates the seconds since 1970-01-01 UTC are taken,
    and the billionths beside (int32); these are null for numbers. Nearly all logs write whole numbers, so nothing else
    is tried on every row; with a ``layout`` not even that.

    Raises:
        DataError: when the column has a type that is no time.
    """
    none = pl.lit(None, pl.Int32).alias(_PART)
    if column is None or dtype is None:
        return [pl.lit(None, pl.Int64).alias(TIME), none, pl.lit(None, pl.String).alias(_LEFT)]
    value = pl.col(column)
    if dtype.is_float() and layout is None:
        value = value.cast(pl.Float64).fill_nan(None)
        whole = pl.when(value.is_finite() & (value == value.floor())).then(value.cast(pl.Int64, strict=False))
        return [whole.alias(TIME), none, _left(whole, value)]
    if isinstance(dtype, pl.Datetime | pl.Date):
        unit: TimeUnit = dtype.time_unit if isinstance(dtype, pl.Datetime) else "ms"
        per_second = {"ms": 10**3, "us": 10**6, "ns": _BILLION}[unit]
        number = value.cast(pl.Datetime("ms") if isinstance(dtype, pl.Date) else dtype).dt.timestamp(unit)
        part = (number % per_second) * (_BILLION // per_second)
        return [(number // per_second).alias(TIME), part.cast(pl.Int32).alias(_PART), _left(number, value)]
    if dtype.is_nested() or isinstance(dtype, pl.Duration):
        raise DataError(f"column {column!r} holds no times but values of type {dtype}", "Name another column.")
    if dtype.is_temporal() or layout is not None:
        return [pl.lit(None, pl.Int64).alias(TIME), none, _left(pl.lit(None, pl.Int64), value)]
    time = value.cast(pl.Int64, strict=False)
    if dtype.is_decimal():
        time = pl.when(value == value.round(0)).then(time)
    return [time.alias(TIME), none, _left(time, value)]


def finish_times(
    frame: pl.DataFrame, samples: Sequence[Sample], column: str | None, layout: str | None = None
) -> tuple[pl.DataFrame, int]:
    """Understand the texts that :func:`quick_time` left, and put all times on one scale that keeps their fractions.

    Numbers stay in the unit of the log, or in a finer one where some have fractions; dates become milliseconds since
    1970-01-01 UTC, or micro- or nanoseconds where these are needed.

    Args:
        frame: with the columns of :func:`quick_time`.
        samples: the files, for messages.
        column: of the times, for messages.
        layout: how times are written that are no numbers, in the letters of ``strftime``.

    Returns:
        The frame with ``TIME`` alone, and what the numbers were multiplied by.

    Raises:
        DataError: when a text is no time, naming it, or a time does not fit.
    """
    frame = read_times(frame, samples, column, layout)
    scale = Scale.of(frame) if _has_parts(frame) else Scale()
    # The engine hands over thousands of chunks; as one, the times can be looked at as numbers without a copy each time.
    frame = scaled(frame, scale, samples, column)
    return frame.with_columns(frame[TIME].rechunk()), scale.of_numbers


def read_times(
    frame: pl.DataFrame, samples: Sequence[Sample], column: str | None, layout: str | None = None
) -> pl.DataFrame:
    """Understand the texts that :func:`quick_time` left; each row by itself. See :func:`finish_times`."""
    if frame[_LEFT].null_count() < frame.height:
        frame = _read_texts(frame, layout)
        what = READABLE if layout is None else f"a time as --time-format {layout!r} has them"
        refuse_texts(frame.filter(pl.col(TIME).is_null())[_LEFT], samples, column, what)
    return frame.drop(_LEFT)


@dataclass(frozen=True)
class Scale:
    """What a log needs of a scale for all its times; that of parts of a log is merged from theirs.

    Attributes:
        parts: some times have parts of a second or are dates.
        dates: some are dates.
        date: the least power of a thousand that keeps all decimals of the dates.
        number: the same of the numbers.
        largest_date, largest_number: the largest there are, regardless of the sign.
    """

    parts: bool = False
    dates: bool = False
    date: int = 1
    number: int = 1
    largest_date: int = 0
    largest_number: int = 0

    @classmethod
    def of(cls, frame: pl.DataFrame) -> "Scale":
        """Of the times that :func:`read_times` gave."""
        part = pl.col(_PART)
        is_date, billionths = part >= 0, _billionths()
        found = frame.select(
            dates=pl.when(is_date).then(billionths).fill_null(0).implode(),
            numbers=pl.when(part < 0).then(billionths).fill_null(0).implode(),
            any_dates=is_date.any(),
            largest_date=pl.when(is_date).then(TIME).abs().max(),
            largest_number=pl.when(~is_date.fill_null(False)).then(TIME).abs().max(),
        )
        date, number = (_needed(found[name].explode()) for name in ("dates", "numbers"))
        dates, *largest = found.select("any_dates", "largest_date", "largest_number").row(0)
        return cls(_has_parts(frame), bool(dates), date, number, *(most or 0 for most in largest))

    def merged(self, other: "Scale") -> "Scale":
        """Of both together."""
        return Scale(
            *(max(mine, theirs) for mine, theirs in zip(vars(self).values(), vars(other).values(), strict=True))
        )

    @property
    def of_dates(self) -> int:
        """What dates are multiplied by: they are in milliseconds or finer."""
        return max(self.date, 10**3)

    @property
    def of_numbers(self) -> int:
        """What numbers are multiplied by."""
        if self.dates and self.number == 1 and self.of_dates > 10**3:
            return self.of_dates // 10**3
        return self.number


def scaled(frame: pl.DataFrame, scale: Scale, samples: Sequence[Sample], column: str | None) -> pl.DataFrame:
    """All times on one scale.

    Raises:
        DataError: when a time does not fit.
    """
    if not scale.parts:
        return frame.drop(_PART)
    largest = (scale.of_dates, scale.largest_date), (scale.of_numbers, scale.largest_number)
    for factor, most in largest:
        if (most + 1) * factor > _LIMIT:
            files = ", ".join(str(sample.path) for sample in samples)
            raise DataError(
                f"{files}: column {column!r} holds times of {int(math.log10(factor))} decimals that do not fit into 64 "
                "bits",
                "Give these times with fewer decimals.",
            )
    by = pl.when(pl.col(_PART) >= 0).then(scale.of_dates).otherwise(scale.of_numbers).fill_null(scale.of_numbers)
    time = pl.col(TIME) * by + _billionths().cast(pl.Int64) * by // _BILLION
    return frame.with_columns(time.alias(TIME)).drop(_PART)


def refuse_texts(texts: pl.Series, samples: Sequence[Sample], column: str | None, what: str) -> None:
    """Refuse texts that should have been something else; nulls are nothing.

    Raises:
        DataError: naming the first of them.
    """
    texts = texts.drop_nulls()
    if not texts.is_empty():
        files = ", ".join(str(sample.path) for sample in samples)
        hint = "Correct these rows, name another column, or name words for nothing with --null-values."
        if " time" in what:
            hint = "Correct these rows, name another column, or see --time-format and --null-values."
        raise DataError(
            f"{files}: column {column!r} holds {texts[0]!r}, which is not {what} ({texts.len():,} such rows)", hint
        )


def _left(time: pl.Expr, value: pl.Expr) -> pl.Expr:
    return pl.when(time.is_null()).then(value.cast(pl.String, strict=False)).alias(_LEFT)


def _read_texts(frame: pl.DataFrame, layout: str | None) -> pl.DataFrame:
    """``TIME`` and parts of what is still text; parts of a number are told from those of a date by being below zero."""
    rows = frame.select(_LEFT).with_row_index(_ROW).filter(pl.col(_LEFT).is_not_null())
    text = pl.col(_LEFT)
    rows = rows.with_columns(text.str.strip_chars().replace("", None))
    if layout is None:
        read = rows.select(
            _ROW, _LEFT, number=_number(text), decimals=_decimals(text), date=_date(text), part=_part(text)
        )
    else:
        moment = _told(text, layout)
        read = rows.select(
            _ROW,
            _LEFT,
            number=pl.lit(None, pl.Int64),
            decimals=pl.lit(None, pl.Int64),
            date=moment // _BILLION,
            part=moment % _BILLION,
        )
    part = pl.when(pl.col("date").is_not_null()).then("part").otherwise(-pl.col("decimals") - 1)
    read = read.select(_ROW, _LEFT, pl.coalesce("date", "number").alias(TIME), part.cast(pl.Int32).alias(_PART))
    return frame.with_columns(frame[name].scatter(read[_ROW], read[name]) for name in (TIME, _PART, _LEFT))


def _number(text: pl.Expr) -> pl.Expr:
    """The whole number below a number; null for other texts."""
    sign = text.str.starts_with("-")
    digits = text.str.strip_chars_start("+-").str.splitn(".", 2).struct.field("field_0").replace("", "0")
    whole = pl.concat_str(pl.when(sign).then(pl.lit("-")).otherwise(pl.lit("")), digits).cast(pl.Int64, strict=False)
    exact = pl.when(text.str.contains(_DECIMAL)).then(whole - (sign & (_digits(text) > 0)).cast(pl.Int64))
    value = pl.when(text.str.contains(_FLOAT)).then(text).cast(pl.Float64, strict=False).floor()
    return exact.fill_null(pl.when(value.abs() < 2.0**63).then(value).cast(pl.Int64, strict=False))


def _decimals(text: pl.Expr) -> pl.Expr:
    """The billionths that a number lies above :func:`_number`."""
    part = _digits(text)
    exact = pl.when(text.str.starts_with("-") & (part > 0)).then(_BILLION - part).otherwise(part)
    value = pl.when(text.str.contains(_FLOAT)).then(text).cast(pl.Float64, strict=False)
    rounded = ((value - value.floor()) * _BILLION).round(0).clip(0, _BILLION - 1).cast(pl.Int64, strict=False)
    return pl.when(text.str.contains(_DECIMAL)).then(exact).otherwise(rounded)


def _digits(text: pl.Expr) -> pl.Expr:
    """What stands behind the point, in billionths."""
    digits = text.str.splitn(".", 2).struct.field("field_1").fill_null("")
    return digits.str.slice(0, 9).str.pad_end(9, "0").cast(pl.Int64, strict=False)


def _date(text: pl.Expr) -> pl.Expr:
    """Seconds since 1970-01-01 UTC of a date with the year first; null for other texts."""
    found = text.str.extract_groups(_DATE)
    padded = [
        found.struct.field(name).fill_null("0").str.zfill(2) for name in ("month", "day", "hour", "minute", "second")
    ]
    plain = pl.concat_str([found.struct.field("year"), *padded], separator="-")
    seconds = plain.str.to_datetime("%Y-%m-%d-%H-%M-%S", time_unit="ms", strict=False).dt.epoch("s")
    zone = found.struct.field("zone").str.replace_all(r"[^0-9+-]", "")
    hours = zone.str.slice(0, 3).cast(pl.Int64, strict=False).fill_null(0)
    minutes = zone.str.slice(3, 2).cast(pl.Int64, strict=False).fill_null(0)
    minutes = pl.when(zone.str.starts_with("-")).then(-minutes).otherwise(minutes)
    return seconds - hours * 3600 - minutes * 60


def _part(text: pl.Expr) -> pl.Expr:
    """The billionths of a second that such a date names."""
    part = text.str.extract_groups(_DATE).struct.field("part").fill_null("")
    return part.str.slice(0, 9).str.pad_end(9, "0").cast(pl.Int64, strict=False)


def _told(text: pl.Expr, layout: str) -> pl.Expr:
    """Nanoseconds since 1970-01-01 UTC in the layout that the user names; without hours it is midnight, UTC."""
    if any(sign in layout for sign in _ZONES):
        return text.str.to_datetime(layout, time_unit="ns", time_zone="UTC", strict=False).dt.timestamp("ns")
    if any(sign in layout for sign in _HOURS):
        return text.str.to_datetime(layout, time_unit="ns", strict=False).dt.timestamp("ns")
    return text.str.to_date(layout, strict=False).cast(pl.Datetime("ns")).dt.timestamp("ns")


def _has_parts(frame: pl.DataFrame) -> bool:
    return frame[_PART].null_count() < frame.height


def _billionths() -> pl.Expr:
    """The part of a second: of dates as it stands, of numbers below zero."""
    part = pl.col(_PART)
    return pl.when(part >= 0).then(part).otherwise(-part - 1).fill_null(0)


def _needed(billionths: pl.Series) -> int:
    """The smallest power of a thousand that keeps all decimals."""
    return next(scale for scale in (1, 10**3, 10**6, _BILLION) if not (billionths % (_BILLION // scale) != 0).any())
