"""Recommendation lists: for each user the best items by their original ids, best first."""

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

_ROWS = 65_536


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
            filled = lists[part] > 0
            ends = pa.array(np.concatenate([[0], np.cumsum(filled.sum(axis=1))]), pa.int32())
            ids = item_ids.take(pa.array(lists[part][filled] - 1)).combine_chunks()
            ids = pa.concat_arrays(ids.chunks) if isinstance(ids, pa.ChunkedArray) else ids
            columns = [
                users.slice(low, _ROWS).cast(pa.string()),
                pa.ListArray.from_arrays(ends, ids),
                pa.ListArray.from_arrays(ends, pa.array(scores[part][filled])),
            ]
            writer.write(pa.table(columns, schema=LISTS_SCHEMA))
        writer.set_lineage(lineage)
