"""Recommendation lists: for each user the best items by their original ids, best first."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stages.artifacts.lineage import Lineage
from stages.artifacts.names import Columns
from stages.artifacts.tables import table_writer

LISTS_SCHEMA = pa.schema(
    [
        pa.field(Columns.USER_ID, pa.string(), False),
        pa.field(Columns.ITEM_IDS, pa.list_(pa.string()), False),
        pa.field(Columns.SCORES, pa.list_(pa.float32()), False),
    ]
)
"""Of ``backtest.parquet``."""

_ROWS = 65_536


def recommendations_schema(views: Iterable[str] = ()) -> pa.Schema:
    """The schema of ``recommendations.parquet``, with these views of the items beside their ids."""
    fields = [*LISTS_SCHEMA, pa.field(Columns.FALLBACK, pa.bool_(), False)]
    return pa.schema(fields + [pa.field(view, pa.list_(pa.string()), False) for view in views])


def write_lists(
    path: Path,
    users: pa.ChunkedArray,
    lists: npt.NDArray[np.int32],
    scores: npt.NDArray[np.float32],
    item_ids: pa.ChunkedArray,
    lineage: Lineage,
) -> None:
    """Write the lists, some users at a time.

    Args:
        path: where the table goes.
        users: (U,) ids of the users.
        lists: (U, k) item numbers; 0 where a list is shorter.
        scores: (U, k).
        item_ids: (N,) original ids in the order of the item numbers.
        lineage: where it comes from.
    """
    with table_writer(path, LISTS_SCHEMA) as writer:
        for low in range(0, max(1, len(lists)), _ROWS):
            part = slice(low, low + _ROWS)
            ids = users.slice(low, _ROWS).cast(pa.string())
            columns = list_columns(lists[part], scores[part], {Columns.ITEM_IDS: item_ids})
            writer.write(pa.table([ids, *columns], schema=LISTS_SCHEMA))
        writer.set_lineage(lineage)


def list_columns(
    lists: npt.NDArray[np.int32], scores: npt.NDArray[np.float32], texts: Mapping[str, pa.ChunkedArray]
) -> list[pa.ListArray]:
    """Lists of item numbers as columns: the first of the texts, the scores, then the other texts.

    Args:
        lists: (U, k) item numbers; 0 where a list is shorter.
        scores: (U, k).
        texts: by name, what stands for each item (N,), in the order of the item numbers: its original id, its views.
    """
    filled = lists > 0
    ends = pa.array(np.concatenate([[0], np.cumsum(filled.sum(axis=1))]), pa.int32())
    rows = pa.array(lists[filled] - 1)
    ids, *views = (pa.ListArray.from_arrays(ends, _flat(column.take(rows))) for column in texts.values())
    return [ids, pa.ListArray.from_arrays(ends, pa.array(scores[filled])), *views]


def _flat(column: pa.ChunkedArray) -> pa.Array:
    combined = column.combine_chunks()
    return pa.concat_arrays(combined.chunks) if isinstance(combined, pa.ChunkedArray) else combined
