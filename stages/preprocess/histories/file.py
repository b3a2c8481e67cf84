"""``sequences.parquet``: every user's items, oldest first, and where the parts of the split end."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from stages.artifacts.lineage import Lineage
from stages.artifacts.sequences import SEQUENCES_SCHEMA
from stages.artifacts.tables import table_writer
from stages.preprocess.histories.interactions import Interactions
from stages.preprocess.histories.split import Split

ROW_GROUP = 65_536
"""Users per row group."""


def write_sequences(path: Path, interactions: Interactions, split: Split, lineage: Lineage) -> None:
    """Write ``sequences.parquet``, users in byte order of their ids."""
    with table_writer(path, SEQUENCES_SCHEMA) as writer:
        for table in _tables(interactions, split):
            writer.write(table)
        writer.set_lineage(lineage)


def _tables(interactions: Interactions, split: Split) -> Iterator[pa.Table]:
    """One table per row group; the times of a user are null when one of them is unknown."""
    times = interactions.times.fill_null(0).to_numpy()
    unknown = np.bincount(interactions.users[interactions.times.is_null().to_numpy()], minlength=len(split.train_end))
    for start in range(0, len(split.train_end), ROW_GROUP):
        stop = min(start + ROW_GROUP, len(split.train_end))
        first, last = split.offsets[start], split.offsets[stop]
        offsets = pa.array((split.offsets[start : stop + 1] - first).astype(np.int32))
        mask = pa.array(unknown[start:stop] > 0)
        columns = [
            interactions.user_ids.slice(start, stop - start).to_arrow().cast(pa.string()),
            pa.ListArray.from_arrays(offsets, pa.array(interactions.items[first:last])),
            pa.ListArray.from_arrays(offsets, pa.array(times[first:last]), mask=mask),
            pa.array(split.train_end[start:stop].astype(np.int32)),
            pa.array(split.valid_end[start:stop].astype(np.int32)),
        ]
        yield pa.table(columns, schema=SEQUENCES_SCHEMA)
