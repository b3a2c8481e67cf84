"""Opens Parquet files, with nulls in columns of fixed-size lists, which pyarrow reads from 26.0.1 on only.

`pyproject.toml` asks for that version; machines on which nothing can be installed may have an earlier one.
"""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

READS_NULLS = (26, 0, 1)
"""The first pyarrow that reads a null among fixed-size lists (https://github.com/apache/arrow/issues/35692)."""

_MAGIC, _LENGTH = b"PAR1", 4
_KEY = b"\x0cARROW:schema"  # as Thrift's compact protocol writes the key, after its length
_HIDDEN = b"\x0cHIDDEN:types"


def open_parquet(path: Path) -> pq.ParquetFile:
    """A Parquet file whose pages are verified as they are read.

    An earlier pyarrow gives columns of fixed-size lists that may be null as plain lists, which it can read.
    """
    file = pq.ParquetFile(path, page_checksum_verification=True)
    if _version() >= READS_NULLS or not any(_may_have_nulls(field) for field in file.schema_arrow):
        return file
    file.close()
    return pq.ParquetFile(path, page_checksum_verification=True, metadata=without_arrow_types(path))


def without_arrow_types(path: Path) -> pq.FileMetaData:
    """The footer of a Parquet file without Arrow's own types: fixed-size lists are plain lists to Parquet."""
    with path.open("rb") as file:
        file.seek(-_LENGTH - len(_MAGIC), 2)
        length = file.read(_LENGTH)
        file.seek(-int.from_bytes(length, "little") - _LENGTH - len(_MAGIC), 2)
        footer = file.read(int.from_bytes(length, "little"))
    return pq.read_metadata(pa.BufferReader(_MAGIC + footer.replace(_KEY, _HIDDEN) + length + _MAGIC))


def _version() -> tuple[int, ...]:
    return tuple(int(part) for part in pa.__version__.split(".")[:3] if part.isdigit())


def _may_have_nulls(field: pa.Field) -> bool:
    return bool(field.nullable and pa.types.is_fixed_size_list(field.type))
