"""Points in time as integers, whatever the log writes."""

from collections.abc import Sequence

import polars as pl

from stages.artifacts.errors import DataError
from stages.preprocess.columns import TIME
from stages.preprocess.sources.sample import Sample

_LEFT = TIME + "_left"


def quick_time(column: str | None, dtype: pl.DataType | None) -> list[pl.Expr]:
    """Expressions for ``TIME`` (int64), and for the texts that are left to :func:`finish_times`.

    Numbers are taken as they are, in the unit of the log, without their fractions. Dates and ISO 8601 texts become
    milliseconds since 1970-01-01 UTC. Nearly all logs write integers, so nothing else is tried on every row.
    """
    if column is None or dtype is None:
        return [pl.lit(None, pl.Int64).alias(TIME), pl.lit(None, pl.String).alias(_LEFT)]
    value = pl.col(column)
    if dtype.is_float():
        time = _from_float(value)
    elif dtype.is_temporal():
        time = value.cast(pl.Datetime("ms"), strict=False).cast(pl.Int64)
    else:
        time = value.cast(pl.Int64, strict=False)
    return [time.alias(TIME), pl.when(time.is_null()).then(value.cast(pl.String, strict=False)).alias(_LEFT)]


def finish_times(frame: pl.DataFrame, samples: Sequence[Sample], column: str | None) -> pl.DataFrame:
    """Understand the texts that :func:`quick_time` left.

    Raises:
        DataError: when one of them is no time, naming it.
    """
    if frame[_LEFT].null_count() < frame.height:
        left = pl.col(_LEFT)
        frame = frame.with_columns(left.str.strip_chars().replace("", None))
        late = pl.coalesce(
            left.cast(pl.Int64, strict=False), _from_float(left.cast(pl.Float64, strict=False)), _from_iso(left)
        )
        frame = frame.with_columns(pl.coalesce(TIME, late).alias(TIME))
        refuse_texts(
            frame.filter(pl.col(TIME).is_null())[_LEFT],
            samples,
            column,
            "a time: a number, or a date such as 2024-05-31T12:00:00Z",
        )
    # The engine hands over thousands of chunks; as one, the times can be looked at as numbers without a copy each time.
    return frame.drop(_LEFT).with_columns(frame[TIME].rechunk())


def refuse_texts(texts: pl.Series, samples: Sequence[Sample], column: str | None, what: str) -> None:
    """Refuse texts that should have been something else; nulls are nothing.

    Raises:
        DataError: naming the first of them.
    """
    texts = texts.drop_nulls()
    if not texts.is_empty():
        files = ", ".join(str(sample.path) for sample in samples)
        raise DataError(
            f"{files}: column {column!r} holds {texts[0]!r}, which is not {what} ({texts.len():,} such rows)",
            "Correct these rows, or name another column.",
        )


def _from_float(value: pl.Expr) -> pl.Expr:
    return pl.when(value.is_finite()).then(value.floor().cast(pl.Int64, strict=False))


def _from_iso(text: pl.Expr) -> pl.Expr:
    zoned = text.str.to_datetime("%+", time_unit="ms", time_zone="UTC", strict=False).cast(pl.Int64)
    plain = [
        text.str.to_datetime(layout, time_unit="ms", strict=False).cast(pl.Int64)
        for layout in ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f")
    ]
    date = text.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("ms")).cast(pl.Int64)
    return pl.coalesce(zoned, *plain, date)
