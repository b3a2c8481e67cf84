"""``histories.parquet``: one row per user of the log, the whole history, also of users that filters keep out."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stages.artifacts.errors import DataError
from stages.artifacts.names import Columns
from stages.artifacts.sequences import item_lists
from stages.artifacts.tables import open_table, require_column

HISTORIES_SCHEMA = pa.schema(
    [
        pa.field(Columns.USER_ID, pa.string(), False),
        pa.field(Columns.ITEMS, pa.list_(pa.int32()), False),
        pa.field(Columns.TIMESTAMPS, pa.list_(pa.int64())),
    ]
)


@dataclass(frozen=True)
class Histories:
    """Whole histories in flat arrays.

    Attributes:
        user_ids: (users,) the ids of the log.
        items: (interactions,) int32, item numbers from 1, user after user, oldest first.
        offsets: (users + 1,) int64; user u owns ``items[offsets[u]:offsets[u + 1]]``.
    """

    user_ids: pa.ChunkedArray
    items: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int64]

    @property
    def users(self) -> int:
        """How many users there are."""
        return len(self.offsets) - 1


@dataclass(frozen=True)
class NamedHistories:
    """Histories from outside the work directory, whose items are known by ids alone.

    Attributes:
        histories: their item numbers count in ``item_ids``, from 1; a user may have no item.
        item_ids: (n,) string, the distinct ids.
        dropped: how many rows were left out, by reason.
    """

    histories: Histories
    item_ids: pa.ChunkedArray
    dropped: dict[str, int]


def read_histories(path: Path, *, items: int | None = None) -> Histories:
    """Read and check ``histories.parquet``.

    Args:
        path: the file.
        items: N; item numbers above it are refused.

    Raises:
        DataError: naming file, column and row of the first value that breaks the contract; or when the file is a
            ``sequences.parquet``.
    """
    columns = {Columns.USER_ID: "string", Columns.ITEMS: "list<int32>"}
    with open_table(path) as file:
        if {Columns.TRAIN_END, Columns.VALID_END} <= set(file.schema_arrow.names):
            raise DataError(
                f"{path} is a sequences.parquet: what is learnt from, cut by filters, and not the whole histories",
                "Run `cocorec preprocess` to make histories.parquet, or leave train_end and valid_end out of a file of "
                "whole histories.",
            )
        for name, kind in columns.items():
            require_column(file.schema_arrow, name, kind, path)
        table = file.read(columns=list(columns))
    for name in columns:
        if table[name].null_count:
            raise DataError(f"{path}: column {name!r} has nulls", "Every user needs an id and a list of items.")
    numbers, offsets = item_lists(table[Columns.ITEMS], path, items)
    return Histories(table[Columns.USER_ID].cast(pa.string()), numbers, offsets)
