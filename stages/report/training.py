"""The section about training: losses and validation by epoch, and which epoch was kept."""

import math
from typing import Any

import pyarrow as pa

from stages.artifacts.errors import DataError
from stages.artifacts.names import HISTORY, HistoryColumns
from stages.artifacts.pipeline import again
from stages.artifacts.tables import open_table
from stages.metrics.accuracy import cutoff_of
from stages.report.charts import Chart, line_chart
from stages.report.parts import Section, Table, count, number
from stages.report.source import Source

SELECTION_METRIC = "ndcg@10"
"""By which ``train`` keeps an epoch, on validation."""

_FIXED = (HistoryColumns.EPOCH, HistoryColumns.STEP, HistoryColumns.LEARNING_RATE)


def training_section(source: Source) -> Section:
    """How the losses fell and the validation metrics rose."""
    rows = _epochs(source)
    if not rows:
        return Section("training", "Training", f"{HISTORY} has no epoch.")
    told = source.told(HISTORY)
    names = [name for name in rows[0] if name not in _FIXED]
    metrics = [name for name in names if name == "mrr" or cutoff_of(name) is not None]
    losses = [name for name in names if name not in metrics]
    best = told.count("best_epoch") or best_epoch(rows)
    figures = [
        ("model", told.text("model") or "–"),
        ("weights", f"{told.count('parameters'):,}" if told.count("parameters") else "–"),
        ("epochs", f"{len(rows):,}"),
        ("best epoch", f"{best:,}"),
    ]
    charts = [_chart(title, rows, chosen, best) for title, chosen in (("Losses", losses), ("Validation", metrics))]
    columns = ["epoch", *losses, *metrics, *([_FIXED[2]] if _FIXED[2] in rows[0] else [])]
    cells = [[count(row[columns[0]]), *(number(row[name], 5) for name in columns[1:])] for row in rows]
    notes = []
    if not source.has_own_history:
        notes.append(f"{HISTORY} is of another training run than the model that is there.")
    if source.is_earlier_model:
        notes.append(
            "The model was trained on an earlier state of these data: on fewer histories, items or other codes."
        )
    return Section(
        "training",
        "Training",
        f"{len(rows):,} epochs; the weights of epoch {best} are kept, the best by {SELECTION_METRIC} on validation.",
        figures,
        [chart for chart in charts if chart],
        [
            Table(
                "epochs",
                "Losses and validation metrics by epoch",
                [name.replace("_", " ") for name in columns],
                cells,
                True,
            )
        ],
        notes,
    )


def best_epoch(rows: list[dict[str, Any]]) -> int:
    """The first epoch with the highest validation metric."""
    best = max(rows, key=lambda row: (row.get(SELECTION_METRIC) or -1.0, -row[HistoryColumns.EPOCH]))
    return int(best[HistoryColumns.EPOCH])


def _epochs(source: Source) -> list[dict[str, Any]]:
    """The rows of ``model/history.parquet``; what is not finite is ``None``."""
    path = source.path(HISTORY)
    with open_table(path) as file:
        for found in file.schema_arrow:
            if not (pa.types.is_integer(found.type) or pa.types.is_floating(found.type)):
                raise DataError(f"{path}: column {found.name!r} has type {found.type}, which is no number", again(path))
        rows: list[dict[str, Any]] = file.read().to_pylist()
    if any(row.get(HistoryColumns.EPOCH) is None for row in rows):
        raise DataError(f"{path}: column {HistoryColumns.EPOCH!r} is missing or has nulls", again(path))
    return [{name: _finite(value) for name, value in row.items()} for row in rows]


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _chart(title: str, rows: list[dict[str, Any]], names: list[str], best: int) -> Chart | None:
    """Lines of some columns; ``None`` where these have no number."""
    lines = {name: [(row[HistoryColumns.EPOCH], row[name]) for row in rows if row[name] is not None] for name in names}
    lines = {name: line for name, line in lines.items() if line}
    if not lines:
        return None
    moved = ", ".join(f"{name} from {line[0][1]:.4g} to {line[-1][1]:.4g}" for name, line in lines.items())
    return line_chart(title, f"{moved}.", lines, f"epoch; the dashed line is the best, {best}", mark=best)
