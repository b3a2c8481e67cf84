"""A look at the beginning of a file: what kind of file it is and which columns it has."""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import IO, Literal

from stages.artifacts.errors import DataError
from stages.preprocess.sources.headers import read_header
from stages.preprocess.sources.opened import is_packed, open_bytes, recoded, require_no_archive
from stages.preprocess.sources.reading import AS_IT_IS, Reading
from stages.preprocess.sources.records import MALFORMED, PARSERS, parse_json, parse_python, problem_with
from stages.preprocess.sources.unpacked import require_bounded

Kind = Literal["csv", "jsonl", "python", "parquet", "arrow", "arrow-stream"]

_MAGIC: dict[bytes, Kind] = {b"PAR1": "parquet", b"ARROW1": "arrow", b"\xff\xff\xff\xff": "arrow-stream"}
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
BOM = b"\xef\xbb\xbf"
_RECORDS = 100
_SHOWN = 3
_LINE_BYTES = 64 << 20
_START = 1 << 16
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
    """What the first bytes of a file tell, and what was found out of the rest before it is read.

    Attributes:
        path: the file.
        kind: ``csv`` for any text with one row per line, ``jsonl`` for one JSON object per line, ``python`` for one
            Python dictionary per line, ``parquet``, ``arrow`` (Arrow IPC file, Feather) or ``arrow-stream``.
        columns: the columns of the header, or the keys of the first records, in order of appearance; then those that
            the names of its folders give (``day=2024-05-31/``).
        separator: between the fields of a ``csv`` file; may be several characters.
        header: whether a ``csv`` file names its columns; if not, ``columns`` are known or given.
        names: the columns as a ``csv`` file itself has them.
        before: lines of a ``csv`` file before the header or first row.
        quote: encloses fields of a ``csv`` file; ``None`` where quotes are ordinary characters, as in RecBole and
            MovieLens files.
        escape: takes a quote of a ``csv`` file its meaning.
        escape_outside: also outside of quotes, and a separator and a line end theirs.
        settled: ``quote`` and ``escape`` are known and not to be recognised.
        typed: whether the header gave each column a type, as RecBole does (``item_id:token``); ``columns`` are without.
        bom: whether a file of records begins with a byte order mark.
        folders: columns and values that the names of the folders give.
        reading: what the user says of it.
        encoding: of a text.
        old_line_ends: lines end with a carriage return alone.
        copied: only a copy can be read: the file is compressed or encoded in a way that the engine does not know.
        data: where the contents are read from, if not from ``path``.
        table: an Arrow file of the rows of a ``csv`` file, all strings, where the engine does not know the dialect.
        rows: how many rows a text file has, counted apart from the reader.
    """

    path: Path
    kind: Kind
    columns: tuple[str, ...]
    separator: str = ","
    header: bool = True
    names: tuple[str, ...] = ()
    before: int = 0
    quote: str | None = '"'
    escape: str | None = None
    escape_outside: bool = True
    settled: bool = False
    typed: bool = False
    bom: bool = False
    folders: tuple[tuple[str, str | None], ...] = ()
    reading: Reading = AS_IT_IS
    encoding: str = "utf-8"
    old_line_ends: bool = False
    copied: bool = False
    data: Path | None = None
    table: Path | None = None
    rows: int | None = None

    @property
    def source(self) -> Path:
        """The file that is read."""
        return self.data or self.path

    @property
    def own_columns(self) -> tuple[str, ...]:
        """The columns that stand in the file."""
        added = dict(self.folders)
        return tuple(column for column in self.columns if column not in added)

    @property
    def has_records(self) -> bool:
        """Whether each line is a record of its own, with any fields."""
        return self.kind in PARSERS

    @property
    def is_plain_json(self) -> bool:
        """Whether the engine can read the records by itself."""
        return self.kind == "jsonl" and not self.bom

    @property
    def is_old_movielens(self) -> bool:
        """Whether it is one of the files of MovieLens without a header whose titles may be in Latin-1."""
        said = self.reading.columns or self.reading.header is not None
        return self.kind == "csv" and not self.header and not said and self.separator in ("::", "|")

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
            items = "items-" if option.startswith("--items") or option == "--views" else ""
            hint = f"Name the column with {option}"
            if self.kind == "csv":
                hint += f", or all of them with --{items}columns if the file has no header"
            if self.kind == "csv" and len(self.columns) == 1:
                hint = f"Name what stands between the fields with --{items}separator"
            raise DataError(
                f"{self.path}: there is no column {column!r}; there are {', '.join(map(repr, self.columns))}",
                f"{hint}.",
            )
        return column


def file_names(samples: Sequence[Sample]) -> str:
    """Names of files for a message, a few of many."""
    names = [sample.path.name for sample in samples]
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def take_sample(path: Path, reading: Reading | None = None, folders: tuple[tuple[str, str | None], ...] = ()) -> Sample:
    """Look at the beginning of the file at ``path``, compressed or not.

    Args:
        path: the file.
        reading: what the user says of it.
        folders: columns and values that the names of its folders give.

    Raises:
        DataError: when there is no such file, or it is a folder, empty, damaged or of a kind that is not read.
    """
    reading = reading or AS_IT_IS
    sample = _look(path, reading)
    added = tuple((column, value) for column, value in folders if column not in sample.columns)
    columns = (*sample.columns, *(column for column, _ in added))
    return replace(sample, columns=columns, folders=added, reading=reading)


def _look(path: Path, reading: Reading) -> Sample:
    if not path.exists():
        raise DataError(f"{path} does not exist", "Check the path of the input file.")
    if path.is_dir():
        raise DataError(f"{path} is a folder", "Name the files in it that should be read.")
    if not path.is_file():
        # It is read more than once, and a pipe without a writer would never end.
        raise DataError(f"{path} is a pipe or a device, not a file", "Write its content to a file first.")
    packed = is_packed(path)
    with open_bytes(path) as file:
        compressed = getattr(file, "fileobj", None)
        if compressed:
            require_bounded(path, compressed, file)
        start = file.peek(_START)[:_START]  # type: ignore[attr-defined]  # all file types buffer
        require_no_archive(path, start)
        binary = next((kind for magic, kind in _MAGIC.items() if start.startswith(magic)), None)
        if binary:
            inside = io.BytesIO(file.read()) if packed or compressed else None
            return Sample(path, binary, tuple(_binary_columns(path, binary, inside)), copied=inside is not None)
        if start.startswith(b"FEA1"):
            raise DataError(f"{path} is a Feather file of version 1", "Write it again as Feather version 2 or Parquet.")
        encoding = "utf-16" if start.startswith(_UTF16) and not start.startswith(b"\xff\xff") else "utf-8"
        old_line_ends = b"\r" in start.rstrip(b"\r") and b"\n" not in start and encoding == "utf-8"
        copied = packed or old_line_ends or encoding != "utf-8"
        text = recoded(file, encoding, old_line_ends) if old_line_ends or encoding != "utf-8" else file
        sample = _text(path, text, reading)
    return replace(sample, encoding=encoding, old_line_ends=old_line_ends, copied=copied)


def _text(path: Path, file: IO[bytes], reading: Reading) -> Sample:
    lines = _lines(file)
    before, line = next(lines, (0, b""))
    first = line.removeprefix(BOM)
    if not first:
        raise DataError(f"{path} is empty", "Check that the file was downloaded or exported in full.")
    if first[:1] == b"{":
        head = [line for _, line in islice(lines, _RECORDS - 1)]
        return replace(_records(path, [first, *head], reading.tolerant), bom=first != line)
    if first[:1] == b"[" and not reading.columns:
        raise DataError(f"{path} is one JSON array", "Write one JSON object per line (JSON lines) instead.")
    if first.lower().startswith(b"sep=") and len(first) == len(b"sep=") + 1:  # what Excel takes the separator from
        reading = replace(reading, separator=reading.separator or first[-1:].decode("latin-1"))
        before, first = next(lines, (0, b""))
        if not first:
            raise DataError(f"{path} is empty", "Check that the file was downloaded or exported in full.")
    named = read_header(path, first, [line for _, line in islice(lines, 1)], reading)
    return Sample(
        path,
        "csv",
        named.columns,
        named.separator,
        header=named.present,
        names=named.names or named.columns,
        before=before,
        quote=named.quote,
        escape=reading.escape or None,
        settled=named.settled,
        typed=named.typed,
    )


def _lines(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Lines that are not blank, without their ends, each after how many lines of the file."""
    number = 0
    while line := file.readline(_LINE_BYTES):
        if line.strip():
            yield number, line.rstrip(b"\r\n")
        number += 1


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


def _binary_columns(path: Path, kind: Kind, inside: io.BytesIO | None) -> list[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if kind == "parquet":
            return list(pq.read_schema(inside or path).names)
        with pa.BufferReader(inside.getvalue()) if inside else pa.memory_map(str(path)) as file:
            opened = pa.ipc.open_file(file) if kind == "arrow" else pa.ipc.open_stream(file)
            return list(opened.schema.names)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is damaged: {error}", "Download or export it again.") from error
