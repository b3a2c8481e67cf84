"""``embeddings.parquet`` and ``codes.parquet``: one fixed-size list per item, seen as numpy matrices."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stages.artifacts.errors import DataError
from stages.artifacts.items import check_item_numbers
from stages.artifacts.lineage import read_lineage
from stages.artifacts.names import Columns
from stages.artifacts.tables import open_table, require_column

Matrix = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

_CODEBOOK_SIZE, _CODEBOOKS = "codebook_size", "codebooks"


def embeddings_schema(dimensions: dict[str, int]) -> pa.Schema:
    """The schema of ``embeddings.parquet``: one vector column per view, given each view's dimension."""
    fields = [pa.field(Columns.ITEM, pa.int32(), False)]
    return pa.schema(fields + [pa.field(view, pa.list_(pa.float32(), d)) for view, d in dimensions.items()])


def codes_schema(codes: int, codebook_size: int, codebooks: str | None = None) -> pa.Schema:
    """The schema of ``codes.parquet`` with this many codes per item, each one of ``codebook_size``.

    Args:
        codes: per item.
        codebook_size: values of a code, K.
        codebooks: fingerprint of what the items were coded with, by which others know what the codes mean.
    """
    kind = pa.list_(pa.field("item", pa.uint16(), False), codes)
    told = {_CODEBOOK_SIZE: str(codebook_size), **({_CODEBOOKS: codebooks} if codebooks else {})}
    return pa.schema([pa.field(Columns.ITEM, pa.int32(), False), pa.field(Columns.CODES, kind, False, metadata=told)])


def to_fixed_size_list(matrix: npt.NDArray[np.generic], present: Mask | None = None) -> pa.FixedSizeListArray:
    """A matrix (rows, D) as an Arrow column; rows that are not ``present`` become null."""
    values = pa.array(np.ascontiguousarray(matrix).reshape(-1))
    mask = None if present is None or present.all() else pa.array(~present)
    return pa.FixedSizeListArray.from_arrays(values, matrix.shape[1], mask=mask)


def to_matrix(column: pa.ChunkedArray | pa.Array) -> tuple[npt.NDArray[np.generic], Mask]:
    """An Arrow column of fixed-size lists as a matrix (rows, D), null rows zero, and which rows are present (rows,)."""
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    d = column.type.list_size
    present = ~np.concatenate([np.zeros(0, bool), *(c.is_null().to_numpy(zero_copy_only=False) for c in chunks)])
    # flatten, unlike values, respects the offset of a sliced chunk and leaves out null rows.
    parts = [
        chunk.flatten().to_numpy(zero_copy_only=False).reshape(len(chunk) - chunk.null_count, d) for chunk in chunks
    ]
    flat = (
        parts[0]
        if len(parts) == 1
        else np.concatenate([np.zeros((0, d), column.type.value_type.to_pandas_dtype()), *parts])
    )
    if present.all():
        return flat, present
    matrix = np.zeros((len(present), d), flat.dtype)
    matrix[present] = flat
    return matrix, present


def embedding_views(path: Path) -> dict[str, int]:
    """The views of ``embeddings.parquet`` and their dimensions, in file order.

    From the footer alone; where another tool wrote plain lists, from the first of them.

    Raises:
        DataError: when the file is missing or damaged, or a column is not what the contract says.
    """
    with open_table(path) as file:
        schema = file.schema_arrow
        require_column(schema, Columns.ITEM, "int32", path)
        names = [name for name in schema.names if name != Columns.ITEM]
        if not names:
            raise DataError(f"{path} holds no view", "Run `cocorec embed --views ...`.")
        kinds = {name: require_column(schema, name, "fixed_size_list<float32>", path) for name in names}
        return {
            name: kind.list_size if pa.types.is_fixed_size_list(kind) else _first_length(file, name)
            for name, kind in kinds.items()
        }


def read_view(path: Path, view: str) -> tuple[Matrix, Mask]:
    """One view of ``embeddings.parquet``.

    Returns:
        Vectors (N, D) float32, zero where the item lacks the view; presence (N,).

    Raises:
        DataError: when the column is missing or has the wrong type, or a vector holds NaN or infinity.
    """
    with open_table(path) as file:
        require_column(file.schema_arrow, view, "fixed_size_list<float32>", path)
        check_item_numbers(file, path)
        column = file.read(columns=[view])[view]
    return _checked(column, view, path)


def iterate_view(path: Path, view: str, dimension: int, *, rows: int = 65_536) -> Iterator[tuple[Matrix, Mask]]:
    """One view of ``embeddings.parquet`` in chunks of rows, as :func:`read_view` gives the whole.

    Args:
        path: the file.
        view: the column.
        dimension: D, as :func:`embedding_views` tells it.
        rows: of a chunk at most.

    Raises:
        DataError: as :func:`read_view`, when the chunk is reached.
    """
    with open_table(path) as file:
        require_column(file.schema_arrow, view, "fixed_size_list<float32>", path)
        check_item_numbers(file, path)
        start = 0
        for batch in file.iter_batches(columns=[view], batch_size=rows):
            yield _checked(pa.chunked_array([batch.column(0)]), view, path, start, dimension)
            start += len(batch)


def read_codes(path: Path) -> tuple[npt.NDArray[np.uint16], int]:
    """The semantic codes of all items.

    Returns:
        Codes (N, C) uint16, and the size K of the codebook at each position: what the column says, in version 1 of
        the contract the lineage, else the largest code plus one.

    Raises:
        DataError: when the file breaks the contract or a code lies beyond its codebook.
    """
    with open_table(path) as file:
        require_column(file.schema_arrow, Columns.CODES, "fixed_size_list<uint16>", path)
        check_item_numbers(file, path)
        column = file.read(columns=[Columns.CODES])[Columns.CODES]
        told = (file.schema_arrow.field(Columns.CODES).metadata or {}).get(_CODEBOOK_SIZE.encode())
    if any(chunk.flatten().null_count for chunk in column.chunks):
        raise DataError(f"{path}: column {Columns.CODES!r} has null codes", "Every item needs all its codes.")
    codes, present = to_matrix(_fixed(column, pa.uint16(), Columns.CODES, path))
    if not present.all():
        row = int(np.flatnonzero(~present)[0]) + 1
        raise DataError(f"{path}: column {Columns.CODES!r}, row {row} is null", "Every item needs codes.")
    largest = int(codes.max(initial=0))
    size = _codebook_size(path, told, largest + 1)
    if largest >= size:
        raise DataError(
            f"{path}: column {Columns.CODES!r} holds code {largest}, its codebook ends at {size - 1}",
            "Quantize again, or correct codebook_size in the metadata of the column.",
        )
    return codes.astype(np.uint16, copy=False), size


def codebooks_of(path: Path) -> str | None:
    """The fingerprint of what the items of ``codes.parquet`` were coded with; ``None`` where the file does not say.

    Raises:
        DataError: when the file is missing or damaged.
    """
    with open_table(path) as file:
        require_column(file.schema_arrow, Columns.CODES, "fixed_size_list<uint16>", path)
        told = (file.schema_arrow.field(Columns.CODES).metadata or {}).get(_CODEBOOKS.encode())
    return None if told is None else told.decode(errors="replace")


def _codebook_size(path: Path, told: bytes | None, least: int) -> int:
    if told is None:
        lineage = read_lineage(path)
        found = lineage.facts.get(_CODEBOOK_SIZE, least) if lineage else least
    else:
        found = int(told) if told.isdigit() and len(told) <= 5 else None
    if not isinstance(found, int) or not 1 <= found <= 1 << 16:
        raise DataError(
            f"{path}: column {Columns.CODES!r}: the size of the codebook is no number from 1 to 65,536",
            "Write the column's metadata again, or leave them out.",
        )
    return found


def _checked(
    column: pa.ChunkedArray, view: str, path: Path, start: int = 0, dimension: int | None = None
) -> tuple[Matrix, Mask]:
    """Vectors that begin at row ``start``, and which are present."""
    matrix, present = to_matrix(_fixed(column, pa.float32(), view, path, start, dimension))
    finite = np.isfinite(matrix).all(axis=1)
    if not finite.all():
        row = start + int(np.flatnonzero(~finite)[0]) + 1
        raise DataError(f"{path}: column {view!r}, row {row}: the vector is not finite", "Embed the view again.")
    return matrix.astype(np.float32, copy=False), present


def _fixed(
    column: pa.ChunkedArray, value: pa.DataType, name: str, path: Path, start: int = 0, width: int | None = None
) -> pa.ChunkedArray:
    """A column of lists as other tools write them (plain lists, wider numbers) as fixed-size lists of ``value``.

    Raises:
        DataError: naming the first row whose list is longer or shorter than the first, or the number that does not fit.
    """
    if pa.types.is_fixed_size_list(column.type) and column.type.value_type == value:
        return column
    lengths = pc.list_value_length(column).to_numpy(zero_copy_only=False) if len(column) else np.zeros(0)
    known = lengths[~np.isnan(lengths.astype(np.float64))]
    if width is None:
        width = int(known[0]) if len(known) else 0
    wrong = np.flatnonzero(~np.isnan(lengths.astype(np.float64)) & (lengths != width))
    if wrong.size:
        row = int(wrong[0])
        raise DataError(
            f"{path}: column {name!r}, row {start + row + 1}: a list of {int(lengths[row])} values, those before have "
            f"{width}",
            "All lists of a column are equally long; an item without one gets a null.",
        )
    try:
        return column.cast(pa.list_(value, width))
    except pa.ArrowInvalid as error:
        raise DataError(
            f"{path}: column {name!r} does not fit {value}: {error}", "The README documents the columns of every file."
        ) from error


def _first_length(file: pq.ParquetFile, name: str) -> int:
    """Length of the first list of a column that is not null, 0 where all are."""
    for batch in file.iter_batches(columns=[name], batch_size=1_024):
        lengths = pc.list_value_length(batch.column(0)).drop_null()
        if len(lengths):
            return int(lengths[0].as_py())
    return 0
