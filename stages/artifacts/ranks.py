"""``ranks.parquet``: where each target stood, one row per target.

``rank`` is of the protocol that the lineage names, all items ranked or history excluded (option ``exclude_seen``), and
``other_rank`` of the other one. ``ties`` and ``other_ties`` count the items that score as the target does, which stand
before it.
"""

import pyarrow as pa

from stages.artifacts.names import Columns

RANKS_SCHEMA = pa.schema(
    [
        pa.field(Columns.USER_ID, pa.string(), False),
        pa.field(Columns.TARGET, pa.int32(), False),
        pa.field(Columns.RANK, pa.int32(), False),
        pa.field(Columns.TIES, pa.int32(), False),
        pa.field(Columns.OTHER_RANK, pa.int32(), False),
        pa.field(Columns.OTHER_TIES, pa.int32(), False),
        pa.field(Columns.HISTORY_LENGTH, pa.int32(), False),
        pa.field(Columns.TARGET_COUNT, pa.int32(), False),
    ]
)
