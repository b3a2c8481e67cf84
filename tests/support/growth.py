"""A work directory whose catalogue grows by hand, in a moment."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from stages.artifacts.items import items_schema
from stages.artifacts.lineage import read_lineage
from stages.artifacts.names import CODES, EMBEDDINGS, ITEMS
from stages.artifacts.tables import read_table, write_table

LIKE = (0, 7)
"""The items, from 0, whose texts and codes the new ones have."""


def grow(workdir: Path, ids: Sequence[str] = ("new-a", "new-b")) -> None:
    """Append items to ``items.parquet``, ``embeddings.parquet`` and ``codes.parquet``."""
    for name in (ITEMS, EMBEDDINGS, CODES):
        table, lineage = read_table(workdir / name), read_lineage(workdir / name)
        more = table.take(np.resize(LIKE, len(ids)))
        numbers = pa.array(table.num_rows + 1 + np.arange(len(ids)), pa.int32())
        more = more.set_column(0, table.schema.field(0), [numbers])
        if name == ITEMS:
            more = more.set_column(1, table.schema.field(1), [pa.array(ids)])
        write_table(workdir / name, pa.concat_tables([table, more]), lineage)


def rename(workdir: Path, ids: Sequence[str]) -> None:
    """Give the items of ``items.parquet`` other ids."""
    table, lineage = read_table(workdir / ITEMS), read_lineage(workdir / ITEMS)
    table = table.set_column(1, items_schema([]).field(1), [pa.array(ids)])
    write_table(workdir / ITEMS, table, lineage)
