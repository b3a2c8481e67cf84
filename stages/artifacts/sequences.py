"""``sequences.parquet``: one row per user, the history oldest first and where its parts end."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stages.artifacts.errors import DataError
from stages.artifacts.names import Columns
from stages.artifacts.tables import open_table, require_column

SEQUENCES_SCHEMA = pa.schema(
    [
        pa.field(Columns.USER_ID, pa.string(), False),
        pa.field(Columns.ITEMS, pa.list_(pa.int32()), False),
        pa.field(Columns.TIMESTAMPS, pa.list_(pa.int64())),
        pa.field(Columns.TRAIN_END, pa.int32(), False),
        pa.field(Columns.VALID_END, pa.int32(), False),
    ]
)


@dataclass(frozen=True)
class Sequences:
    """All histories in three flat arrays.

    Attributes:
        items: (interactions,) int32, item numbers from 1, user after user, oldest first.
        offsets: (users + 1,) int64; user u owns ``items[offsets[u]:offsets[u + 1]]``.
        train_end: (users,) int64, how many of a user's items are for training.
        valid_end: (users,) int64, how many are for training and validation.
        user_ids: (users,) the ids of the log, or ``None`` when they were not asked for.
    """

    items: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int64]
    train_end: npt.NDArray[np.int64]
    valid_end: npt.NDArray[np.int64]
    user_ids: pa.ChunkedArray | None = None

    @property
    def users(self) -> int:
        """How many users there are."""
        return len(self.offsets) - 1


def read_sequences(path: Path, *, items: int | None = None, user_ids: bool = False) -> Sequences:
    """Read and check ``sequences.parquet``.

    Args:
        path: the file.
        items: N; item numbers above it are refused.
        user_ids: read the ids of the users as well.

    Raises:
        DataError: naming file, column and row of the first value that breaks the contract.
    """
    columns = [Columns.ITEMS, Columns.TRAIN_END, Columns.VALID_END] + ([Columns.USER_ID] if user_ids else [])
    with open_table(path) as file:
        schema = file.schema_arrow
        require_column(schema, Columns.ITEMS, "list<int32>", path)
        for name in (Columns.TRAIN_END, Columns.VALID_END):
            require_column(schema, name, "int32", path)
        require_column(schema, Columns.USER_ID, "string", path)
        table = file.read(columns=columns)
    for name in columns:
        if table[name].null_count:
            raise DataError(f"{path}: column {name!r} has nulls", "Every user needs all columns but timestamps.")
    numbers, offsets = item_lists(table[Columns.ITEMS], path, items)
    train_end = table[Columns.TRAIN_END].to_numpy().astype(np.int64)
    valid_end = table[Columns.VALID_END].to_numpy().astype(np.int64)
    lengths = np.diff(offsets)
    _refuse(path, Columns.TRAIN_END, (train_end < 0) | (train_end > valid_end), "not within 0..valid_end")
    _refuse(path, Columns.VALID_END, valid_end > lengths, "beyond the user's items")
    ids = table[Columns.USER_ID] if user_ids else None
    return Sequences(numbers, offsets, train_end, valid_end, ids)


def item_lists(
    column: pa.ChunkedArray, path: Path, items: int | None
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """A column of lists of items as flat item numbers (interactions,) and where each list begins (rows + 1,).

    Raises:
        DataError: naming the row of the first number that is none, or is not within 1..``items``.
    """
    lists = column.combine_chunks()
    lists = pa.concat_arrays(lists.chunks) if isinstance(lists, pa.ChunkedArray) else lists
    offsets = lists.offsets.to_numpy().astype(np.int64)
    values = lists.values.slice(offsets[0], offsets[-1] - offsets[0])
    if values.null_count:
        raise DataError(f"{path}: column {Columns.ITEMS!r} has null items", "Item numbers are 1..N.")
    numbers = values.to_numpy()
    offsets = offsets - offsets[0]
    wrong = (numbers < 1) | (numbers > (items if items is not None else np.iinfo(np.int32).max))
    if wrong.any():
        position = int(np.flatnonzero(wrong)[0])
        row = int(np.searchsorted(offsets, position, side="right"))
        raise DataError(
            f"{path}: column {Columns.ITEMS!r}, row {row}: item {numbers[position]} is not within 1..{items or 'N'}",
            "Item numbers are those of items.parquet; 0 never occurs.",
        )
    return numbers.astype(np.int32), offsets


def _refuse(path: Path, column: str, wrong: npt.NDArray[np.bool_], what: str) -> None:
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0]) + 1
        raise DataError(
            f"{path}: column {column!r}, row {row}: {what}", "stages/artifacts/README.md documents the columns."
        )
