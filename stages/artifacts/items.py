"""``items.parquet``: the catalogue, one row per item, in the order of the item numbers 1..N."""

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stages.artifacts.errors import DataError
from stages.artifacts.lineage import read_lineage
from stages.artifacts.names import RESERVED_VIEW_NAMES, Columns
from stages.artifacts.tables import open_table, require_column

EXTENDED = "extended"
"""Name of the fact in the lineage of ``items.parquet`` that says how the catalogue has grown."""


def was_extended(path: Path) -> bool:
    """Whether a catalogue, if it is there, kept the numbers of an earlier one.

    Raises:
        DataError: when the file is damaged.
    """
    lineage = read_lineage(path) if path.exists() else None
    return lineage is not None and EXTENDED in lineage.facts


def items_schema(views: list[str]) -> pa.Schema:
    """The schema of ``items.parquet`` with these text views."""
    fields = [pa.field(Columns.ITEM, pa.int32(), False), pa.field(Columns.ITEM_ID, pa.string(), False)]
    return pa.schema(fields + [pa.field(view, pa.string()) for view in views])


def item_views(path: Path) -> list[str]:
    """The names of the text views in ``items.parquet``, in file order.

    Raises:
        DataError: when the file is missing, damaged or lacks a column of the contract.
    """
    with open_table(path) as file:
        schema = file.schema_arrow
    require_column(schema, Columns.ITEM, "int32", path)
    require_column(schema, Columns.ITEM_ID, "string", path)
    views = [name for name in schema.names if name not in RESERVED_VIEW_NAMES]
    for view in views:
        require_column(schema, view, "string", path)
    return views


def count_items(path: Path) -> int:
    """How many items there are, N.

    Raises:
        DataError: when the file is missing or damaged, or its items are not numbered 1..N.
    """
    with open_table(path) as file:
        return check_item_numbers(file, path)


def read_item_ids(path: Path) -> pa.ChunkedArray:
    """The original ids (N,) in the order of the item numbers.

    Raises:
        DataError: when the file is missing or damaged, breaks the contract, or an item has no id.
    """
    with open_table(path) as file:
        require_column(file.schema_arrow, Columns.ITEM_ID, "string", path)
        check_item_numbers(file, path)
        ids = file.read(columns=[Columns.ITEM_ID])[Columns.ITEM_ID].cast(pa.string())
    if ids.null_count:
        row = ids.is_null().index(True).as_py() + 1
        raise DataError(f"{path}: column {Columns.ITEM_ID!r}, row {row} is null", "Every item needs an id.")
    return ids


def ids_fingerprint(path: Path, count: int) -> str:
    """Of the ids of the items 1 to ``count``, in their order: whether two catalogues begin with the same items.

    Raises:
        DataError: as :func:`read_item_ids`.
    """
    ids = read_item_ids(path).slice(0, count).combine_chunks()
    digest = hashlib.sha256(pc.binary_length(ids).to_numpy(zero_copy_only=False).astype("<i8").tobytes())
    for text in ids.to_pylist():
        digest.update(text.encode())
    return "sha256:" + digest.hexdigest()


def check_item_numbers(file: pq.ParquetFile, path: Path) -> int:
    """Check that the ``item`` column counts 1..N, and return N.

    Raises:
        DataError: naming the first row where it does not.
    """
    require_column(file.schema_arrow, Columns.ITEM, "int32", path)
    start = 1
    for batch in file.iter_batches(columns=[Columns.ITEM]):
        column = batch.column(0)
        if column.null_count:
            raise DataError(f"{path}: column {Columns.ITEM!r} has nulls", "Items are numbered 1..N in row order.")
        numbers = column.to_numpy()
        wrong = np.flatnonzero(numbers != np.arange(start, start + len(numbers)))
        if wrong.size:
            row = start + int(wrong[0])
            raise DataError(
                f"{path}: row {row} holds item {numbers[wrong[0]]}; item numbers must be 1..N in row order",
                "Sort the rows by item and fill the gaps; an item without data gets nulls.",
            )
        start += len(numbers)
    return start - 1


def read_texts(path: Path, views: list[str]) -> dict[str, pa.ChunkedArray]:
    """Text views by name, each (N,) in the order of the item numbers, null where an item lacks it.

    Raises:
        DataError: when the file is missing or damaged, or a view is none.
    """
    with open_table(path) as file:
        for view in views:
            require_column(file.schema_arrow, view, "string", path)
        check_item_numbers(file, path)
        table = file.read(columns=views)
    return {view: table[view].cast(pa.string()) for view in views}
