"""Points in time as integers, whatever the log writes."""

import polars as pl


def parse_time(column: str, dtype: pl.DataType) -> pl.Expr:
    """An expression for the int64 time in ``column``; what cannot be understood becomes null.

    Numbers are taken as they are, in the unit of the log, without their fractions. Dates and ISO 8601 texts become
    milliseconds since 1970-01-01 UTC.
    """
    value = pl.col(column)
    if dtype.is_integer():
        return value.cast(pl.Int64, strict=False)
    if dtype.is_float():
        return _from_float(value)
    if dtype.is_temporal():
        return value.cast(pl.Datetime("ms"), strict=False).cast(pl.Int64)
    text = value.cast(pl.String, strict=False).str.strip_chars()
    return pl.coalesce(
        text.cast(pl.Int64, strict=False), _from_float(text.cast(pl.Float64, strict=False)), _from_iso(text)
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
