"""A look at the beginning of a file: what kind of file it is and which columns it has."""

import csv
import gzip
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Literal, cast

from stages.artifacts.errors import DataError
from stages.preprocess.sources.headerless import known_headerless
from stages.preprocess.sources.records import MALFORMED, PARSERS, parse_json, parse_python, problem_with
from stages.preprocess.sources.unpacked import require_bounded

Kind = Literal["csv", "jsonl", "python", "parquet", "arrow", "arrow-stream"]

_GZIP = b"\x1f\x8b"
_MAGIC: dict[bytes, Kind] = {b"PAR1": "parquet", b"ARROW1": "arrow", b"\xff\xff\xff\xff": "arrow-stream"}
BOM = b"\xef\xbb\xbf"
_RECORDS = 100
_LINE_BYTES = 64 << 20
_SEPARATORS = ",\t;|"
_TYPED = re.compile(r"(?P<name>[^:]+):(?:token|float)(?:_seq)?")
_LABELS = {
    "csv": "CSV",
    "jsonl": "JSON lines",
    "python": "Python dictionaries, one a line",
    "parquet": "Parquet",
    "arrow": "Arrow",
    "arrow-stream": "Arrow stream",
}


@dataclass(frozen=True)
class Sample:
    """What the first bytes of a file tell.

    Attributes:
        path: the file.
        kind: ``csv`` for any text with one row per line, ``jsonl`` for one JSON object per line, ``python`` for one
            Python dictionary per line, ``parquet``, ``arrow`` (Arrow IPC file, Feather) or ``arrow-stream``.
        columns: the columns of the header, or the keys of the first records, in order of appearance.
        separator: between the fields of a ``csv`` file; may be several characters where there is no header.
        header: whether a ``csv`` file names its columns; if not, ``columns`` are known by its name.
        quoted: whether double quotes enclose fields; they are ordinary characters in RecBole and MovieLens files.
        typed: whether the header gave each column a type, as RecBole does (``item_id:token``); ``columns`` are without.
        skip: numbers of lines, from 0, that are left out.
        bom: whether a file of records begins with a byte order mark.
    """

    path: Path
    kind: Kind
    columns: tuple[str, ...]
    separator: str = ","
    header: bool = True
    quoted: bool = True
    typed: bool = False
    skip: tuple[int, ...] = ()
    bom: bool = False

    @property
    def has_records(self) -> bool:
        """Whether each line is a record of its own, with any fields."""
        return self.kind in PARSERS

    @property
    def is_plain_json(self) -> bool:
        """Whether the engine can read the records by itself."""
        return self.kind == "jsonl" and not self.skip and not self.bom

    @property
    def label(self) -> str:
        """The kind of file in words, for messages."""
        return "TSV" if self.kind == "csv" and self.separator == "\t" else _LABELS[self.kind]

    def require(self, column: str, option: str) -> str:
        """``column`` itself if the file has it.

        Raises:
            DataError: naming the columns there are and the option that chooses another.
        """
        if column not in self.columns:
            raise DataError(
                f"{self.path}: there is no column {column!r}; there are {', '.join(map(repr, self.columns))}",
                f"Name the column with {option}.",
            )
        return column


def take_sample(path: Path, tolerant: bool = False) -> Sample:
    """Look at the beginning of the file at ``path``, compressed with gzip or not.

    Args:
        tolerant: pass over malformed records, as long as one is well-formed.

    Raises:
        DataError: when there is no such file, or it is a folder, empty, damaged or of a kind that is not read.
    """
    if not path.exists():
        raise DataError(f"{path} does not exist", "Check the path of the input file.")
    if path.is_dir():
        raise DataError(f"{path} is a folder", "Name the files in it that should be read.")
    if not path.is_file():
        # It is read more than once, and a pipe without a writer would never end.
        raise DataError(f"{path} is a pipe or a device, not a file", "Write its content to a file first.")
    with open_bytes(path) as file:
        if compressed := getattr(file, "fileobj", None):
            require_bounded(path, compressed, file)
        start = file.peek(8)[:8]  # type: ignore[attr-defined]  # both file types buffer
        binary = next((kind for magic, kind in _MAGIC.items() if start.startswith(magic)), None)
        if binary:
            return Sample(path, binary, tuple(_binary_columns(path, binary)))
        if start.startswith(b"FEA1"):
            raise DataError(f"{path} is a Feather file of version 1", "Write it again as Feather version 2 or Parquet.")
        line = next(_lines(file), b"")
        first = line.removeprefix(BOM)
        if not first:
            raise DataError(f"{path} is empty", "Check that the file was downloaded or exported in full.")
        if first[:1] == b"{":
            return replace(_records(path, [first, *_head(file)], tolerant), bom=first != line)
        if first[:1] == b"[":
            raise DataError(f"{path} is one JSON array", "Write one JSON object per line (JSON lines) instead.")
    if known := known_headerless(path.name, first):
        return Sample(path, "csv", known.columns, known.separator, header=False, quoted=False)
    return _header(path, first)


@contextmanager
def open_bytes(path: Path) -> Iterator[IO[bytes]]:
    """Open ``path`` for reading, through gzip where it is compressed.

    Raises:
        DataError: when reading inside the block fails: no permission, damaged or truncated gzip.
    """
    try:
        with path.open("rb") as file:
            compressed = file.read(2) == _GZIP
            file.seek(0)
            yield cast(IO[bytes], gzip.GzipFile(fileobj=file)) if compressed else file
    except EOFError as error:
        raise DataError(f"{path}: the gzip file is truncated", "Download or export it again.") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: the gzip file is damaged ({error})", "Download or export it again.") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """Lines that are not blank, without their ends."""
    while line := file.readline(_LINE_BYTES):
        if line.strip():
            yield line.rstrip(b"\r\n")


def _head(file: IO[bytes]) -> list[bytes]:
    return [line for _, line in zip(range(_RECORDS - 1), _lines(file), strict=False)]


def _records(path: Path, lines: list[bytes], tolerant: bool) -> Sample:
    """Whether the lines are JSON or Python, and the keys of the records."""
    kind: Kind = "python" if not _is(parse_json, lines, tolerant) and _is(parse_python, lines, tolerant) else "jsonl"
    keys: dict[str, None] = {}
    problems = []
    for number, line in enumerate(lines, 1):
        try:
            keys.update(dict.fromkeys(PARSERS[kind](line)))
        except MALFORMED as error:
            problems.append(f"{path}: record {number} {problem_with(kind, error)}")
    if problems and (not tolerant or not keys):
        raise DataError(problems[0], "Every line has to hold one record; see --max-bad-rows.")
    return Sample(path, kind, tuple(map(str, keys)))


def _is(parse: Callable[[bytes], object], lines: list[bytes], tolerant: bool) -> bool:
    """Whether the first line, or with ``tolerant`` any, can be parsed so."""
    for line in lines if tolerant else lines[:1]:
        try:
            parse(line)
        except MALFORMED:
            continue
        return True
    return False


def _header(path: Path, line: bytes) -> Sample:
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is neither Parquet nor UTF-8 text ({error})",
            "Use CSV, TSV or JSON lines in UTF-8 (plain or gzip), or Parquet.",
        ) from error
    separator = max(_SEPARATORS, key=text.count)
    try:
        columns = [name.strip() for name in next(csv.reader([text], delimiter=separator))]
    except csv.Error as error:
        raise DataError(f"{path}: the first line is no header: {error}", "Check what kind of file it is.") from error
    typed = [match["name"].strip() for name in columns if (match := _TYPED.fullmatch(name))]
    is_typed = len(typed) == len(columns)
    columns = typed if is_typed else columns
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise DataError(f"{path}: the header names {', '.join(map(repr, twice))} twice", "Rename one of them.")
    return Sample(path, "csv", tuple(columns), separator, quoted=not is_typed, typed=is_typed)


def _binary_columns(path: Path, kind: Kind) -> list[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if kind == "parquet":
            return list(pq.read_schema(path).names)
        with pa.memory_map(str(path)) as file:
            opened = pa.ipc.open_file(file) if kind == "arrow" else pa.ipc.open_stream(file)
            return list(opened.schema.names)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is damaged: {error}", "Download or export it again.") from error
