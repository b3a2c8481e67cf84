"""``histories.parquet`` for tests whose work directories were not made by ``preprocess``."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from stages.artifacts.histories import HISTORIES_SCHEMA
from stages.artifacts.lineage import Lineage
from stages.artifacts.names import HISTORIES, SEQUENCES
from stages.artifacts.sequences import read_sequences
from stages.artifacts.tables import write_table


def write_histories(workdir: Path, histories: Mapping[str, Sequence[int]] | None = None) -> Path:
    """Write the histories of these users by item number; of those of ``sequences.parquet`` where none are given."""
    if histories is None:
        found = read_sequences(workdir / SEQUENCES, user_ids=True)
        assert found.user_ids is not None
        ends = found.offsets.tolist()
        lists = [found.items[ends[u] : ends[u + 1]].tolist() for u in range(found.users)]
        histories = dict(zip(found.user_ids.to_pylist(), lists, strict=True))
    columns = [
        pa.array(list(histories), pa.string()),
        pa.array(list(histories.values()), pa.list_(pa.int32())),
        pa.nulls(len(histories), pa.list_(pa.int64())),
    ]
    write_table(workdir / HISTORIES, pa.table(columns, schema=HISTORIES_SCHEMA), Lineage("preprocess", {}, {}))
    return workdir / HISTORIES
