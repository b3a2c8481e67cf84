"""The first line of a text table: the names of the columns, or already a row."""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stages.artifacts.errors import DataError
from stages.preprocess.sources.headerless import known_headerless
from stages.preprocess.sources.reading import Reading

_SEPARATORS = ",\t;|\x01"
_QUOTED = re.compile(r'"[^"]*"')
_TYPED = re.compile(r"(?P<name>[^:]+):(?:token|float)(?:_seq)?")
_VALUE = re.compile(r"[+-]?\d+([.,]\d+)?([eE][+-]?\d+)?|\d{4}[-/]\d{1,2}[-/]\d{1,2}([ T].*)?")
"""What is a number or a date, and so hardly the name of a column."""


@dataclass(frozen=True)
class Header:
    """What the first line of a text table tells.

    Attributes:
        separator: between the fields.
        columns: the names of the columns.
        names: the names as they are written, where this is something else.
        present: the line holds them; otherwise it is the first row.
        quote: encloses fields, as far as it is known; ``None`` where quotes are ordinary characters.
        settled: it is known for the whole file.
        typed: each name has a type, as in RecBole's files.
    """

    separator: str
    columns: tuple[str, ...]
    names: tuple[str, ...] = ()
    present: bool = True
    quote: str | None = '"'
    settled: bool = False
    typed: bool = False


def read_header(path: Path, line: bytes, more: Sequence[bytes], reading: Reading) -> Header:
    """Read the first line of a text table.

    Args:
        path: the file, for messages; some files without a header are known by their names.
        line: the first line.
        more: the second, if there is one.
        reading: what the user says of the file.

    Raises:
        DataError: when it is no text, names a column twice, or there is no header and nobody says what the columns are.
    """
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is neither Parquet nor UTF-8 text ({error})",
            "Use CSV, TSV or JSON lines in UTF-8 (plain or compressed), or Parquet.",
        ) from error
    asked = reading.columns or reading.header is not None or reading.separator
    if not asked and (known := known_headerless(path.name, line)):
        return Header(known.separator, known.columns, (), present=False, quote=None, settled=True)
    separator = reading.separator or max(_SEPARATORS, key=_QUOTED.sub("", text).count)
    quote = '"' if reading.quote is None else reading.quote or None
    settled = reading.quote is not None
    names = tuple(_fields(path, text, separator, reading))
    if reading.columns or reading.header is False:
        columns = reading.columns or tuple(str(number) for number in range(1, len(names) + 1))
        if len(columns) != len(names):
            raise DataError(
                f"{path}: the first line has {len(names)} fields, --columns names {len(columns)}",
                "Name every field, in the order of the file.",
            )
        return Header(separator, columns, (), False, quote, settled)
    columns = tuple(name.strip() for name in names)
    if reading.header is None and more and len(columns) > 1:
        _require_names(path, columns, _fields(path, more[0].decode("utf-8", "replace"), separator, reading))
    typed = [match["name"].strip() for name in columns if (match := _TYPED.fullmatch(name))]
    is_typed = len(typed) == len(columns)
    found = tuple(typed) if is_typed else columns
    twice = sorted({name for name in found if found.count(name) > 1})
    if twice:
        raise DataError(f"{path}: the header names {', '.join(map(repr, twice))} twice", "Rename one of them.")
    return Header(separator, found, columns, True, None if is_typed else quote, settled or is_typed, is_typed)


def _fields(path: Path, text: str, separator: str, reading: Reading) -> list[str]:
    if len(separator) > 1 or reading.quote == "":
        return text.split(separator)
    try:
        return next(csv.reader([text], delimiter=separator, quotechar=reading.quote or '"'))
    except csv.Error as error:
        raise DataError(f"{path}: the first line is no header: {error}", "Check what kind of file it is.") from error


def _require_names(path: Path, first: Sequence[str], second: Sequence[str]) -> None:
    """Refuse a first line with values where the second has values; a header of 0, 1, 2, ... is that of pandas.

    Raises:
        DataError: naming the option that gives the names.
    """
    values = [bool(_VALUE.fullmatch(field.strip())) for field in first]
    named = [field for field in first if field]
    numbered = named == [str(number) for number in range(len(named))]
    if any(values) and not numbered and values == [bool(_VALUE.fullmatch(field.strip())) for field in second]:
        raise DataError(
            f"{path}: the first line is a row, not a header: {', '.join(map(repr, first))}",
            "Name the fields in their order, for example `--columns user_id,item_id,timestamp` (of --items: "
            "`--items-columns item_id,title`).",
        )
