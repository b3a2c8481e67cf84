"""How the rows of a text table are written, found in the whole file; and how many there are, counted apart.

Most files need one quick pass: no quotes at all, or quotes as RFC 4180 has them, enclosing whole fields. The reader
may take these as they are. In others each dialect is tried, and the first in which every row has the fields of the
header is taken.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from stages.artifacts.errors import DataError
from stages.preprocess.sources.escaped import NotInDialectError, Row, escaped_rows, split_rows
from stages.preprocess.sources.opened import open_bytes
from stages.preprocess.sources.sample import BOM, Sample

_BLOCK = 16 << 20
_FIELD = 1 << 30  # of a description, say; Python's own limit is 128 KiB
_BACKSLASH = "\\"
_OF_DUMPS = ("\t", "|", "\x01")


class Dialect(NamedTuple):
    """What encloses fields, and what takes that its meaning, also outside of it; ``None`` for nothing."""

    quote: str | None
    escape: str | None
    escape_outside: bool = True


@dataclass(frozen=True)
class _Glance:
    """What one quick pass over the bytes tells.

    Attributes:
        lines: outside of quotes.
        quoted: there are quotes.
        regular: quotes enclose whole fields, as in RFC 4180.
        escapes: there are backslashes before quotes, separators or line ends.
        across: quoted fields go over line ends.
    """

    lines: int
    quoted: bool
    regular: bool
    escapes: bool
    across: bool


@dataclass(frozen=True)
class _Trial:
    """How a file reads in one dialect.

    Attributes:
        dialect: that was tried.
        rows: that it makes.
        short: of these have fewer fields than the header.
        across: of these go over several lines.
        problem: the first line that cannot be, and why.
    """

    dialect: Dialect
    rows: int
    short: int
    across: int
    problem: NotInDialectError | None


def survey(sample: Sample) -> tuple[Sample, bool]:
    """Find the dialect of a text table and count its rows.

    Args:
        sample: of kind ``csv``; what it holds in UTF-8.

    Returns:
        The sample with quote, escape and the number of its rows; and whether the engine reads the file as it is.

    Raises:
        DataError: when it is in no dialect, naming the line.
    """
    glance = _glance(sample, (sample.quote or "").encode())
    above = sample.before + sample.header
    engine = sample.escape is None and len(sample.separator) == 1
    if engine and (not sample.quote or not glance.quoted) and (sample.settled or not glance.escapes):
        return replace(sample, quote=None, rows=glance.lines - above), True
    plain = glance.regular and not glance.escapes
    if engine and plain and (sample.settled or not glance.across):
        return replace(sample, rows=glance.lines - above), True
    chosen = _choose(sample, [_try(sample, dialect) for dialect in _candidates(sample)])
    found = chosen.dialect
    as_it_is = engine and found.escape is None and (found.quote is None or glance.regular)
    return _in(sample, found, rows=chosen.rows), as_it_is


def rows_of_text(sample: Sample) -> Iterator[Row]:
    """The rows of a text table in its dialect, without the header; the number of a row is that of its last line.

    Raises:
        NotInDialectError: where the dialect does not allow a line.
    """
    with open_bytes(sample.source) as file:
        start = file.read(len(BOM))
        if start != BOM:
            file.seek(0)
        lines = io.TextIOWrapper(file, encoding="utf-8", newline="\n")
        for _ in range(sample.before):
            next(lines, None)
        rows = _rows(lines, sample.separator, _dialect(sample))
        if sample.header:
            next(rows, None)
        for number, fields in rows:
            yield number + sample.before, fields


def _rows(lines: Iterator[str], separator: str, dialect: Dialect) -> Iterator[Row]:
    if dialect.escape:
        return escaped_rows(lines, separator, dialect.quote, dialect.escape, dialect.escape_outside)
    if not dialect.quote:
        return split_rows(lines, separator)
    if len(separator) > 1:
        return escaped_rows(lines, separator, dialect.quote, "\0")
    return _python_rows(lines, separator, dialect.quote)


def _python_rows(lines: Iterator[str], separator: str, quote: str) -> Iterator[Row]:
    csv.field_size_limit(_FIELD)
    reader = csv.reader(lines, delimiter=separator, quotechar=quote, strict=True)
    try:
        for fields in reader:
            yield reader.line_num, fields
    except csv.Error as error:
        raise NotInDialectError(reader.line_num, f"is malformed: {error}") from error


def _candidates(sample: Sample) -> list[Dialect]:
    """The dialects that the user leaves open, the usual ones first.

    That quotes enclose nothing is the rule in dumps with tabs, and where there are commas nearly always a mistake.
    """
    reading, quote = sample.reading, sample.quote
    if sample.settled and quote is None and reading.escape is None:
        return [Dialect(None, None)]
    escapes = [None, _BACKSLASH] if reading.escape is None else [sample.escape]
    quotes = [quote] if sample.settled or sample.separator not in _OF_DUMPS else [quote, None]
    found = [Dialect(mark, escape) for mark in quotes for escape in escapes]
    return [*found, *(Dialect(mark, escape, False) for mark in quotes if mark for escape in escapes if escape)]


def _dialect(sample: Sample) -> Dialect:
    return Dialect(sample.quote, sample.escape, sample.escape_outside)


def _in(sample: Sample, dialect: Dialect, rows: int | None = None) -> Sample:
    """The sample in a dialect."""
    return replace(sample, quote=dialect.quote, escape=dialect.escape, escape_outside=dialect.escape_outside, rows=rows)


def _try(sample: Sample, dialect: Dialect) -> _Trial:
    tried = _in(sample, dialect)
    width, rows, short, across, problem = len(sample.names), 0, 0, 0, None
    last = sample.before + sample.header
    try:
        for number, fields in rows_of_text(tried):
            rows += 1
            across += number - last > 1
            if len(fields) > width:
                where = f"has {len(fields)} fields, the {'header' if sample.header else 'first line'} {width}"
                raise NotInDialectError(number, where)
            short += len(fields) < width and fields not in ([], [""])
            last = number
    except NotInDialectError as error:
        problem = error
    except UnicodeDecodeError as error:
        raise _not_utf8(sample) from error
    return _Trial(dialect, rows, short, across, problem)


def _choose(sample: Sample, trials: list[_Trial]) -> _Trial:
    """The first dialect in which every row has the fields of the header, or at least no more.

    Quotes may by chance enclose what looks like several rows; where every line is a row without them, they are none.

    Raises:
        DataError: when no dialect fits.
    """
    possible = [trial for trial in trials if trial.problem is None]
    if not possible:
        first = trials[0].problem
        raise DataError(
            f"{sample.path}: {first}",
            'Put fields that hold the separator into double quotes ("..."), or say how they are written with '
            "--separator, --quote and --escape.",
        )
    fitting = [trial for trial in possible if not trial.short]
    if fitting and fitting[0].across:
        lines = [trial for trial in fitting if not trial.across]
        return next((trial for trial in lines if trial.dialect.quote is None), fitting[0])
    return min(possible, key=lambda trial: trial.short)


def _glance(sample: Sample, quote: bytes) -> _Glance:
    """Look at every quote and line end once, in blocks."""
    separator = sample.separator.encode()[:1]
    edges = np.frombuffer(separator + b"\n\r", np.uint8)
    lines, inside, quoted, regular, escapes, across = 0, False, False, True, False, False
    signs = [b"\\" + sign for sign in (quote, separator, b"\n", b"\r")]
    with open_bytes(sample.source) as file:
        left = b"\n"  # what stands before the first field
        last = b"\n"
        start = file.read(len(BOM))
        block = (b"" if start == BOM else start) + file.read(_BLOCK)
        while block:
            following = file.read(_BLOCK)
            data = _with_neighbours(left, block, following) if b"\\" in block or (quote and quote in block) else b""
            if quote and quote in block:
                quoted = True
                found = np.frombuffer(data, np.uint8)
                at = np.flatnonzero(found[1:-1] == quote[0]) + 1
                opening = np.arange(len(at)) % 2 == int(inside)
                before, after = found[at - 1], found[at + 1]
                at_edge = np.where(opening, np.isin(before, edges[:2]), np.isin(after, edges))
                doubled = np.where(opening, before == quote[0], after == quote[0])
                regular = regular and bool((at_edge | doubled).all())
                ends = np.flatnonzero(found[1:-1] == ord("\n")) + 1
                within = (np.searchsorted(at, ends) + int(inside)) % 2 == 1
                lines += int((~within).sum())
                across = across or bool(within.any())
                inside = (len(at) + int(inside)) % 2 == 1
            else:
                count = block.count(b"\n")
                lines += 0 if inside else count
                across = across or (inside and count > 0)
            if not escapes and data:
                escapes = any(sign in data for sign in signs)
            left, last, block = block[-1:], block[-1:], following
    return _Glance(lines + (last != b"\n"), quoted, regular and not inside, escapes, across)


def _with_neighbours(left: bytes, block: bytes, following: bytes) -> bytes:
    """A block between the byte before and the byte after it."""
    return left + block + (following[:1] or b"\n")


def _not_utf8(sample: Sample) -> DataError:
    with open_bytes(sample.source) as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                found = line[error.start : error.start + 1]
                return DataError(
                    f"{sample.path}: line {number} is not UTF-8 ({error.reason} {found!r})",
                    "Convert the file to UTF-8, for example with `iconv -f latin1 -t utf-8`.",
                )
    return DataError(f"{sample.path} is not UTF-8", "Convert the file to UTF-8.")


def explain_text(sample: Sample) -> None:
    """Find what is wrong with a text table that the engine refuses.

    Raises:
        DataError: naming the line.
    """
    trial = _try(sample, _dialect(sample))
    if trial.problem:
        _choose(sample, [trial])


def first_difference(sample: Sample, column: list[str | None]) -> int:
    """The line of the first row whose first field is not the one that was read, from 1."""
    line = 0
    for (number, fields), read in zip(rows_of_text(sample), column, strict=False):
        line = number
        if (fields[0] if fields else "") != (read or ""):
            break
    return line
