"""``ranks.parquet``: where each target stood, one row per target."""

import pyarrow as pa

from stages.artifacts.names import Columns

RANKS_SCHEMA = pa.schema(
    [
        pa.field(Columns.USER_ID, pa.string(), False),
        pa.field(Columns.TARGET, pa.int32(), False),
        pa.field(Columns.RANK, pa.int32(), False),
        pa.field(Columns.HISTORY_LENGTH, pa.int32(), False),
        pa.field(Columns.TARGET_COUNT, pa.int32(), False),
    ]
)
