"""A look at the beginning of a file: what kind of file it is and which columns it has."""

import csv
import gzip
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, cast

from stages.artifacts.errors import DataError

Kind = Literal["csv", "jsonl", "parquet"]

_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_RECORDS = 100
_LINE_BYTES = 64 << 20
_SEPARATORS = ",\t;|"


@dataclass(frozen=True)
class Sample:
    """What the first bytes of a file tell.

    Attributes:
        path: the file.
        kind: ``csv`` for any text with a header line, ``jsonl`` for one JSON object per line, or ``parquet``.
        columns: the columns of the header, or the keys of the first records, in order of appearance.
        separator: between the fields of a ``csv`` file.
    """

    path: Path
    kind: Kind
    columns: tuple[str, ...]
    separator: str = ","

    @property
    def label(self) -> str:
        """The kind of file in words, for messages."""
        return {"csv": "TSV" if self.separator == "\t" else "CSV", "jsonl": "JSON lines", "parquet": "Parquet"}[
            self.kind
        ]

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


def take_sample(path: Path) -> Sample:
    """Look at the beginning of the file at ``path``, compressed with gzip or not.

    Raises:
        DataError: when there is no such file, or it is a folder, empty, damaged or of a kind that is not read.
    """
    if not path.exists():
        raise DataError(f"{path} does not exist", "Check the path of the input file.")
    if path.is_dir():
        raise DataError(f"{path} is a folder", "Name the files in it that should be read.")
    with open_bytes(path) as file:
        start = file.peek(8)[:8]  # type: ignore[attr-defined]  # both file types buffer
        if start[:4] == b"PAR1":
            return Sample(path, "parquet", tuple(_parquet_columns(path)))
        first = next(_lines(file), b"").removeprefix(_BOM)
        if not first:
            raise DataError(f"{path} is empty", "Check that the file was downloaded or exported in full.")
        if first[:1] == b"{":
            return Sample(path, "jsonl", tuple(_keys(path, [first, *_head(file)])))
        if first[:1] == b"[":
            raise DataError(f"{path} is one JSON array", "Write one JSON object per line (JSON lines) instead.")
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


def _keys(path: Path, records: list[bytes]) -> dict[str, None]:
    keys: dict[str, None] = {}
    for number, line in enumerate(records, 1):
        try:
            record = json.loads(line)
        except ValueError as error:
            raise DataError(
                f"{path}: record {number} is not JSON: {error}", "Every line has to hold one JSON object."
            ) from error
        if not isinstance(record, dict):
            raise DataError(f"{path}: record {number} is not a JSON object", "Every line has to hold one JSON object.")
        keys.update(dict.fromkeys(record))
    return keys


def _header(path: Path, line: bytes) -> Sample:
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is neither Parquet nor UTF-8 text ({error})",
            "Use CSV, TSV or JSON lines in UTF-8 (plain or gzip), or Parquet.",
        ) from error
    separator = max(_SEPARATORS, key=text.count)
    columns = [name.strip() for name in next(csv.reader([text], delimiter=separator))]
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise DataError(f"{path}: the header names {', '.join(map(repr, twice))} twice", "Rename one of them.")
    return Sample(path, "csv", tuple(columns), separator)


def _parquet_columns(path: Path) -> list[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return list(pq.read_schema(path).names)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} is damaged: {error}", "Download or export it again.") from error
