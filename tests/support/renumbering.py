"""A work directory whose catalogue is another: some of the items, in another order."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from stages.artifacts.lineage import read_lineage
from stages.artifacts.names import CODES, EMBEDDINGS, ITEMS
from stages.artifacts.tables import read_table, write_table


def keep(workdir: Path, order: Sequence[int]) -> None:
    """Leave the items of these numbers, from 1, and number them in this order; histories stay as they are."""
    for name in (ITEMS, EMBEDDINGS, CODES):
        table, lineage = read_table(workdir / name), read_lineage(workdir / name)
        kept = table.take(np.array(order) - 1)
        numbers = pa.array(np.arange(1, len(order) + 1), pa.int32())
        write_table(workdir / name, kept.set_column(0, table.schema.field(0), [numbers]), lineage)
