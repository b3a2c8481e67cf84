"""The section about the results: metrics with intervals, popularity and other runs beside them, slices, differences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.artifacts.errors import DataError
from stages.artifacts.lineage import read_lineage
from stages.artifacts.names import METRICS
from stages.report.charts import Chart, Row, rows_chart
from stages.report.options import ReportOptions
from stages.report.parts import Cell, Section, Table, count, interval, number, text
from stages.report.ranks import Ranks, Slice, slices_of
from stages.report.source import Source
from stages.report.told import Told

PROTOCOLS = {"all_items": "all items ranked", "exclude_seen": "history excluded"}
POPULARITY = "popularity baseline"
_DIFFERENCES = ["metric", "run", "difference", "95 % interval", "relative", "p", "p (Holm)"]


@dataclass(frozen=True)
class Metric:
    """A mean over users with its 95 % interval."""

    mean: float
    low: float
    high: float


Measured = Mapping[str, Metric]


def results_section(
    source: Source, options: ReportOptions, ranks: Ranks, name: str, comparison: Mapping[str, Any] | None
) -> Section:
    """How well the targets were found.

    Args:
        source: the work directory.
        options: of the page.
        ranks: where each target stood.
        name: what the run is called.
        comparison: what ``compare`` found, with this run as its baseline; ``None`` without other runs.
    """
    told = source.told(METRICS)
    protocol = "exclude_seen" if told.values.get("exclude_seen") else "all_items"
    others = _other_runs(comparison, name)
    slices = slices_of(ranks, told, options)
    order = (protocol, *(other for other in PROTOCOLS if other != protocol))
    tables = [_metrics_table(told, each, name, others, folded=each != protocol) for each in order]
    first = _of_protocol(told, protocol, "metrics")
    return Section(
        "results",
        "Results",
        f"{told.count('targets') or 0:,} targets of the {told.text('split')} split, of {told.count('users') or 0:,} "
        f"users, among {told.count('items') or 0:,} items, {PROTOCOLS[protocol]}. Means are over users; ties count "
        "against the target.",
        [(metric, f"{first[metric].mean:.4f}") for metric in options.metrics if metric in first],
        [
            *_metric_charts(told, protocol, name, others, options.metrics),
            *_slice_charts(slices, options.metrics),
        ],
        [
            *tables,
            *_slice_tables(slices, options.metrics),
            *_differences(comparison),
            *_beyond(told, name, comparison),
            _groups_table(told),
        ],
        list(comparison["notes"]) if comparison else [],
    )


def measured(told: Told, path: Sequence[str]) -> Measured:
    """Metrics that stand below some names in the facts of an evaluation.

    Raises:
        DataError: when they are no numbers with intervals.
    """
    for name in path:
        told = told.part(name)
    found = {}
    for name in told.values:
        mean, low, high = (told.part(name).number(part) for part in ("mean", "low", "high"))
        if mean is None or low is None or high is None:
            raise DataError(f"{told.path}: {name} has no mean with its interval", "Run `cocorec evaluate --force`.")
        found[name] = Metric(mean, low, high)
    return found


def _of_protocol(told: Told, protocol: str, what: str) -> Measured:
    found = measured(told, ("protocols", protocol, what))
    if not found:
        raise DataError(
            f"{told.path} has no metrics by both protocols, as evaluations of this version do",
            "Run `cocorec evaluate --force`.",
        )
    return found


def _other_runs(comparison: Mapping[str, Any] | None, name: str) -> dict[str, Told]:
    """What the evaluations of the other runs report; nothing of a table of another tool."""
    found = {}
    for other, run in (comparison["runs"] if comparison else {}).items():
        if other != name:
            lineage = read_lineage(Path(run["path"]))
            found[other] = Told(Path(run["path"]), lineage.facts if lineage else {})
    return found


def _metrics_table(told: Told, protocol: str, name: str, others: Mapping[str, Told], *, folded: bool) -> Table:
    """Metrics with intervals by one protocol, popularity and the other runs beside them."""
    own, popularity = (_of_protocol(told, protocol, what) for what in ("metrics", "popularity"))
    columns = [(name, own), (POPULARITY, popularity)]
    columns += [(other, measured(facts, ("protocols", protocol, "metrics"))) for other, facts in others.items()]
    rows = [[text(metric), *(cell for _, of in columns for cell in _with_interval(of.get(metric)))] for metric in own]
    names = [part for column, _ in columns for part in (column, f"{column}, 95 % interval")]
    return Table(f"metrics-{protocol}", f"Metrics, {PROTOCOLS[protocol]}", ["metric", *names], rows, folded)


def _with_interval(metric: Metric | None) -> list[Cell]:
    if metric is None:
        return [text(None), text(None)]
    return [number(metric.mean), interval(metric.low, metric.high)]


def _metric_charts(
    told: Told, protocol: str, name: str, others: Mapping[str, Told], metrics: Sequence[str]
) -> list[Chart]:
    runs = [(name, _of_protocol(told, protocol, "metrics"))]
    runs += [(other, measured(facts, ("protocols", protocol, "metrics"))) for other, facts in others.items()]
    runs += [(POPULARITY, _of_protocol(told, protocol, "popularity"))]
    charts = []
    for metric in metrics:
        rows = [
            Row(run, of[metric].mean, f"{of[metric].mean:.4f}", of[metric].low, of[metric].high, series)
            for series, (run, of) in enumerate(runs)
            if metric in of
        ]
        if rows:
            described = ", ".join(f"{row.label} {row.text}" for row in rows)
            charts.append(rows_chart(f"{_spelt(metric)} with 95 % intervals", f"{described}.", rows))
    return charts


def _slice_charts(slices: Sequence[Slice], metrics: Sequence[str]) -> list[Chart]:
    metric = metrics[0]
    charts = []
    for by in dict.fromkeys(each.by for each in slices):
        rows = [
            Row(f"{each.label} ({each.targets:,} targets)", mean, f"{mean:.4f}", low, high)
            for each in slices
            if each.by == by
            for mean, low, high in [each.metrics[metric]]
        ]
        described = ", ".join(f"{row.label} {row.text}" for row in rows)
        charts.append(rows_chart(f"{_spelt(metric)} by {by}", f"{described}.", rows))
    return charts


def _slice_tables(slices: Sequence[Slice], metrics: Sequence[str]) -> list[Table]:
    tables = []
    for by in dict.fromkeys(each.by for each in slices):
        rows = [
            [
                text(each.label),
                count(each.targets),
                *(cell for metric in metrics for cell in _with_interval(Metric(*each.metrics[metric]))),
            ]
            for each in slices
            if each.by == by
        ]
        columns = [by, "targets", *(part for metric in metrics for part in (metric, f"{metric}, 95 % interval"))]
        tables.append(Table(f"slices-{by.replace(' ', '-')}", f"Metrics by {by}", columns, rows))
    return tables


def _differences(comparison: Mapping[str, Any] | None) -> list[Table]:
    """Differences of the other runs from this one: over all targets, then by slice."""
    if comparison is None:
        return []
    baseline, method = comparison["baseline"], comparison["method"]
    note = (
        f"p: {method['test']}, {method['resamples']:,} resamples; {method['correction']}. "
        f"Interval: {method['interval']}."
    )
    rows = [_difference(row) for row in comparison["differences"]]
    tables = [Table("differences", f"Differences from {baseline}", _DIFFERENCES, rows, note=note)]
    for by in dict.fromkeys(row["by"] for row in comparison["slices"]):
        rows = [
            [text(row["slice"]), count(row["targets"]), *_difference(row)]
            for row in comparison["slices"]
            if row["by"] == by
        ]
        columns = [by, "targets", *_DIFFERENCES]
        tables.append(
            Table(f"differences-{by.replace(' ', '-')}", f"Differences from {baseline} by {by}", columns, rows)
        )
    return tables


def _difference(row: Mapping[str, Any]) -> list[Cell]:
    relative = row["difference"] / row["reference"] if row["reference"] else None
    return [
        text(row["metric"]),
        text(row["run"]),
        number(row["difference"], signed=True),
        interval(row["low"], row["high"], signed=True),
        text(None) if relative is None else Cell(f"{relative:+.1%}", relative),
        number(row["p"]),
        number(row["p_holm"]),
    ]


def _spelt(metric: str) -> str:
    """A metric as headings spell it."""
    return metric.capitalize() if metric.startswith(("recall", "hit")) else metric.upper()


def _beyond(told: Told, name: str, comparison: Mapping[str, Any] | None) -> list[Table]:
    """Measures of the lists beyond accuracy: of this run alone, or beside the others."""
    beyond = told.part("beyond_accuracy")
    if not beyond.values:
        return []
    caption = "The lists beyond accuracy"
    if comparison is None:
        rows = [[text(metric), number(beyond.number(metric))] for metric in beyond.values]
        return [Table("beyond", caption, ["measure", name], rows)]
    runs = list(comparison["runs"])
    rows = [
        [text(row["metric"]), *(number(row["values"][run]) for run in runs)]
        for row in comparison["metrics"]
        if row["metric"] in beyond.values
    ]
    return [Table("beyond", caption, ["measure", *runs], rows)]


def _groups_table(told: Told) -> Table:
    rows = [
        [text(row.text("group")), *(count(row.count(column)) for column in ("from_interactions", "items", "targets"))]
        for row in told.rows("popularity_groups")
    ]
    columns = ["group", "from interactions", "items", "targets"]
    return Table("groups", "Items and targets by popularity in training", columns, rows)
