"""``tune/trials.parquet``: one row per trial of a search."""

import pyarrow as pa

from stages.artifacts.names import TrialColumns

TRIALS_SCHEMA = pa.schema(
    [
        pa.field(TrialColumns.TRIAL, pa.int32()),
        pa.field(TrialColumns.STATE, pa.string()),
        pa.field(TrialColumns.METRIC, pa.float64()),
        pa.field(TrialColumns.EPOCHS, pa.int32()),
        pa.field(TrialColumns.BEST_EPOCH, pa.int32()),
        pa.field(TrialColumns.VALIDATION, pa.list_(pa.float64())),
        pa.field(TrialColumns.REASON, pa.string()),
    ]
)
"""The columns that all searches have; the options that vary follow, as ``stage.option``."""
