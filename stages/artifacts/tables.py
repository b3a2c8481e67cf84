"""Reading and writing the Parquet files of the contract: checked schemas, page checksums, whole-or-nothing."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import pyarrow as pa
import pyarrow.parquet as pq

from stages.artifacts.atomic import atomic_path, require_file
from stages.artifacts.digest import check_digest_once
from stages.artifacts.errors import DataError
from stages.artifacts.lineage import KEY, Lineage
from stages.artifacts.parquet_file import open_parquet
from stages.artifacts.pipeline import again

_Check = Callable[[pa.DataType], bool]


class TableWriter:
    """Writes one Parquet artifact in row groups; use it through :func:`table_writer`."""

    def __init__(self, path: Path, schema: pa.Schema, *, compression: str) -> None:
        self._writer = pq.ParquetWriter(
            path,
            schema,
            compression=compression,
            use_dictionary=_texts(schema),
            column_encoding=_numbers(schema),
            write_page_checksum=True,
            write_page_index=False,
        )

    def write(self, table: pa.Table | pa.RecordBatch) -> None:
        """Append rows as one row group."""
        table = pa.Table.from_batches([table]) if isinstance(table, pa.RecordBatch) else table
        self._writer.write_table(table.cast(self._writer.schema), row_group_size=max(1, table.num_rows))

    def set_lineage(self, lineage: Lineage) -> None:
        """Say where the file comes from; may be called at any time before the end."""
        self._writer.add_key_value_metadata({KEY: lineage.metadata_text()})

    def __enter__(self) -> "TableWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()


def _texts(schema: pa.Schema) -> list[str]:
    """Columns of strings that may repeat; of ids, which do not, a dictionary would cost time and space."""
    return [field.name for field in schema if _is_string(field.type) and not field.name.endswith("_id")]


def _numbers(schema: pa.Schema) -> dict[str, str]:
    """Columns of whole numbers, or of lists of them, by their differences: smaller, and faster to write."""
    found = {}
    for field in schema:
        listed = pa.types.is_list(field.type)
        if pa.types.is_signed_integer(field.type.value_type if listed else field.type):
            found[f"{field.name}.list.element" if listed else field.name] = "DELTA_BINARY_PACKED"
    return found


@contextmanager
def table_writer(
    path: Path, schema: pa.Schema, *, compression: str = "zstd", option: str = "--workdir"
) -> Iterator[TableWriter]:
    """Write a Parquet artifact in chunks of rows; it appears at ``path`` when the block ends without an error.

    Args:
        path: where the artifact goes.
        schema: its columns; every written chunk is cast to them.
        compression: ``"none"`` for float vectors, which do not shrink.
        option: the option that names the folder, for the hint.

    Raises:
        DataError: when the disk is full or the folder cannot be written.
    """
    with (
        atomic_path(path, option=option) as temporary,
        TableWriter(temporary, schema, compression=compression) as writer,
    ):
        yield writer


def write_table(
    path: Path, table: pa.Table, lineage: Lineage, *, compression: str = "zstd", row_group_rows: int = 131_072
) -> None:
    """Write a whole table as an artifact."""
    with table_writer(path, table.schema, compression=compression) as writer:
        for start in range(0, max(1, table.num_rows), row_group_rows):
            writer.write(table.slice(start, row_group_rows))
        writer.set_lineage(lineage)


@contextmanager
def open_table(path: Path) -> Iterator[pq.ParquetFile]:
    """Open a Parquet artifact that is what was written: the file by its digest, its pages as they are read.

    Raises:
        DataError: when the file is missing, or when it, or a page of it read inside the block, is damaged.
    """
    path = Path(path)
    require_file(path)
    try:
        check_digest_once(path)
        with open_parquet(path) as file:
            _require_distinct_columns(file.schema_arrow, path)
            yield file
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        hint = again(path) or "Fetch a good copy, or write it again."
        raise DataError(f"{path} is damaged or not a Parquet file: {error}", hint) from error


def _require_distinct_columns(schema: pa.Schema, path: Path) -> None:
    twice = [name for name, count in Counter(schema.names).items() if count > 1]
    if twice:
        raise DataError(
            f"{path}: several columns are called {', '.join(map(repr, sorted(twice)))}",
            "Write the file again with each column once.",
        )


def read_table(path: Path, columns: list[str] | None = None) -> pa.Table:
    """Read a Parquet artifact, or some of its columns, verifying the pages.

    Raises:
        DataError: when the file is missing or damaged.
    """
    with open_table(path) as file:
        return file.read(columns=columns)


def require_column(schema: pa.Schema, name: str, kind: str, path: Path) -> pa.DataType:
    """The type of a column that has to be there.

    Args:
        kind: what the contract asks for: ``int32``, ``string``, ``list<int32>``, ``list<int64>``,
            ``fixed_size_list<float32>`` or ``fixed_size_list<uint16>``. Wider variants of the same type that other
            tools write (``large_string``, ``large_list``, dictionaries of strings, plain lists of floats or integers
            for fixed-size ones) are accepted.

    Raises:
        DataError: naming file and column when the column is missing or of another type.
    """
    if name not in schema.names:
        raise DataError(
            f"{path}: column {name!r} is missing; there are {', '.join(map(repr, schema.names))}",
            "The README documents the columns of every file.",
        )
    actual = schema.field(name).type
    if not _ACCEPTED[kind](actual):
        raise DataError(
            f"{path}: column {name!r} has type {actual}, not {kind}", "The README documents the columns of every file."
        )
    return actual


def _is_string(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_list_of(width: str) -> _Check:
    def accepted(kind: pa.DataType) -> bool:
        listed = pa.types.is_list(kind) or pa.types.is_large_list(kind)
        return bool(listed and str(kind.value_type) in width)

    return accepted


def _is_vector_of(values: str) -> _Check:
    def accepted(kind: pa.DataType) -> bool:
        listed = pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind) or pa.types.is_large_list(kind)
        return bool(listed and str(kind.value_type) in values.split())

    return accepted


_ACCEPTED: dict[str, _Check] = {
    "int32": lambda kind: str(kind) in ("int32", "int64"),
    "string": _is_string,
    "list<int32>": _is_list_of("int32 int64"),
    "list<int64>": _is_list_of("int32 int64"),
    "fixed_size_list<float32>": _is_vector_of("halffloat float double"),
    "fixed_size_list<uint16>": _is_vector_of("uint16 int32 int64"),
}
