"""Ids as text: one spelling of a number, and words that may stand for nothing."""

import polars as pl

from stages.artifacts.errors import DataError

DOUBTFUL = (
    *("nan", "NaN", "NAN", "null", "NULL", "Null", "none", "None", "NONE", "nil", "NIL"),
    *("na", "NA", "N/A", "n/a"),
    *("<NA>", "#N/A", "\\N", "NaT", "undefined", "(null)", "__HIVE_DEFAULT_PARTITION__"),
)
"""What is written where there is nothing. Somebody may be called so: they are counted, ``--null-values`` decides."""

_LONGEST = max(len(word.encode()) for word in DOUBTFUL)
_WHOLE = r"^([+-]?[0-9]+)\.0+$"
_ROUNDED = r"^[0-9](\.[0-9]+)?E\+[0-9]+$"
ROUNDED = "1.23E+11"
"""Stands for all numbers that a spreadsheet has rounded."""
BLANKS = "blanks around"
"""Stands for ids with blanks around them."""


def id_text(column: str, dtype: pl.DataType) -> pl.Expr:
    """A column of ids as strings, null or empty where there is none; 17.0 is 17, since gaps make floats of numbers.

    Raises:
        DataError: when the column holds lists or structures.
    """
    if dtype.is_nested():
        raise DataError(f"column {column!r} holds lists or structures, not ids", "Name another column.")
    value = pl.col(column)
    if not dtype.is_float():
        return value.cast(pl.String)
    number = value.cast(pl.Float64).fill_nan(None)
    whole = number.cast(pl.Int64, strict=False)
    return pl.when(whole.cast(pl.Float64) == number).then(whole.cast(pl.String)).otherwise(number.cast(pl.String))


def one_spelling(ids: pl.Series) -> pl.Series:
    """Texts of whole numbers with zeros behind a point without these: ``17.0`` is ``17``, as it is in other formats."""
    # One quick look first: there are millions of ids, and hardly ever such ones.
    if not ids.str.ends_with(".0").any() and not ids.str.ends_with(".00").any() and not ids.str.ends_with(".000").any():
        return ids
    return ids.str.replace(_WHOLE, "$1")


def doubtful(ids: pl.Series, *, texts: bool = False) -> dict[str, int]:
    """How many rows have an id that may stand for nothing, or for another, by word; of ``texts`` for nothing alone."""
    found: dict[str, int] = {}
    short = ids.str.len_bytes() <= _LONGEST
    if short.any():
        few = ids if short.all() else ids.filter(short)
        words = few.filter(few.is_in(DOUBTFUL)).value_counts(sort=True)
        found |= dict(words.iter_rows())
        if not texts and few.str.contains("E+", literal=True).any():
            found[ROUNDED] = int(few.str.contains(_ROUNDED).sum())
    if texts:
        return found
    blanks = ids.str.starts_with(" ") | ids.str.ends_with(" ")
    if blanks.any():
        found[BLANKS] = int(blanks.sum())
    return {word: count for word, count in found.items() if count}
