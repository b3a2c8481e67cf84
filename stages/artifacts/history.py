"""``model/history.parquet``: how training went, one row per epoch."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from stages.artifacts.names import HistoryColumns

_FIXED = {HistoryColumns.EPOCH: pa.int64(), HistoryColumns.STEP: pa.int64()}


def history_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """The table of a run.

    Args:
        rows: one per epoch: ``epoch`` from 1, ``step``, how many optimizer steps were taken by its end, and numbers:
            ``learning_rate`` and losses of a model that learns, validation metrics of all.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    fields = [pa.field(name, _FIXED.get(name, pa.float64())) for name in names]
    return pa.Table.from_pylist([dict(row) for row in rows], schema=pa.schema(fields))
