"""``sequences.parquet`` and ``histories.parquet``: every user's items, oldest first."""

from collections.abc import Iterable, Iterator
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
    with table_writer(path, SEQUENCES_SCHEMA) as writer:
        for table in sequence_tables(interactions, split, row_groups(len(split.offsets) - 1)):
            writer.write(table)
        writer.set_lineage(lineage)


def write_histories(path: Path, histories: WholeHistories, lineage: Lineage) -> None:
    """Write ``histories.parquet``, users in byte order of their ids."""
    with table_writer(path, HISTORIES_SCHEMA) as writer:
        for table in history_tables(histories, row_groups(len(histories.offsets) - 1)):
            writer.write(table)
        writer.set_lineage(lineage)


def row_groups(users: int) -> list[slice]:
    """The users of each row group."""
    return [slice(start, min(start + ROW_GROUP, users)) for start in range(0, users, ROW_GROUP)]


def sequence_tables(interactions: Interactions, split: Split, parts: Iterable[slice]) -> Iterator[pa.Table]:
    """The rows of ``sequences.parquet``, a table for each of some ranges of users."""
    listed = _listed(interactions.user_ids, split.offsets, interactions.items, interactions.times, parts)
    for users, columns in listed:
        ends = [pa.array(end[users].astype(np.int32)) for end in (split.train_end, split.valid_end)]
        yield pa.table([*columns, *ends], schema=SEQUENCES_SCHEMA)


def history_tables(histories: WholeHistories, parts: Iterable[slice]) -> Iterator[pa.Table]:
    """The rows of ``histories.parquet``, a table for each of some ranges of users."""
    listed = _listed(histories.user_ids, histories.offsets, histories.items, histories.times, parts)
    for _, columns in listed:
        yield pa.table(columns, schema=HISTORIES_SCHEMA)


def _listed(
    user_ids: pl.Series, offsets: Index, items: npt.NDArray[np.int32], times: pl.Series, parts: Iterable[slice]
) -> Iterator[tuple[slice, list[pa.Array]]]:
    """Ids, lists of items and lists of times, some users at a time; a user's are null when one of them is unknown."""
    users = len(offsets) - 1
    moments = times.fill_null(0).to_numpy()
    # Lists are never empty, so that each has a first element.
    unknown = (
        np.add.reduceat(times.is_null().to_numpy(), offsets[:-1], dtype=np.int64) > 0 if users else np.zeros(0, bool)
    )
    for part in parts:
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
