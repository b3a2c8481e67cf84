"""``sequences.parquet`` and ``histories.parquet``: every user's items, oldest first."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from stages.artifacts.histories import HISTORIES_SCHEMA
from stages.artifacts.lineage import Lineage
from stages.artifacts.sequences import SEQUENCES_SCHEMA
from stages.artifacts.tables import table_writer
from stages.preprocess.histories.interactions import Interactions
from stages.preprocess.histories.split import Split
from stages.preprocess.histories.whole import WholeHistories

Index = npt.NDArray[np.int64]

ROW_GROUP = 65_536
"""Users per row group."""


def write_sequences(path: Path, interactions: Interactions, split: Split, lineage: Lineage) -> None:
    """Write ``sequences.parquet``, users in byte order of their ids."""
    listed = _listed(interactions.user_ids, split.offsets, interactions.items, interactions.times)
    with table_writer(path, SEQUENCES_SCHEMA) as writer:
        for users, columns in listed:
            ends = [pa.array(end[users].astype(np.int32)) for end in (split.train_end, split.valid_end)]
            writer.write(pa.table([*columns, *ends], schema=SEQUENCES_SCHEMA))
        writer.set_lineage(lineage)


def write_histories(path: Path, histories: WholeHistories, lineage: Lineage) -> None:
    """Write ``histories.parquet``, users in byte order of their ids."""
    listed = _listed(histories.user_ids, histories.offsets, histories.items, histories.times)
    with table_writer(path, HISTORIES_SCHEMA) as writer:
        for _, columns in listed:
            writer.write(pa.table(columns, schema=HISTORIES_SCHEMA))
        writer.set_lineage(lineage)


def _listed(
    user_ids: pl.Series, offsets: Index, items: npt.NDArray[np.int32], times: pl.Series
) -> Iterator[tuple[slice, list[pa.Array]]]:
    """Ids, lists of items and lists of times, some users at a time; a user's are null when one of them is unknown."""
    users = len(offsets) - 1
    moments = times.fill_null(0).to_numpy()
    # Lists are never empty, so that each has a first element.
    unknown = (
        np.add.reduceat(times.is_null().to_numpy(), offsets[:-1], dtype=np.int64) > 0 if users else np.zeros(0, bool)
    )
    for start in range(0, users, ROW_GROUP):
        part = slice(start, min(start + ROW_GROUP, users))
        first, last = offsets[part.start], offsets[part.stop]
        bounds = pa.array((offsets[part.start : part.stop + 1] - first).astype(np.int32))
        yield (
            part,
            [
                user_ids.slice(part.start, part.stop - part.start).to_arrow().cast(pa.string()),
                pa.ListArray.from_arrays(bounds, pa.array(items[first:last])),
                pa.ListArray.from_arrays(bounds, pa.array(moments[first:last]), mask=pa.array(unknown[part])),
            ],
        )
