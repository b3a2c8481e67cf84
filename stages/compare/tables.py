"""The tables of a comparison: runs side by side, differences from the reference, slices of the targets."""

from collections.abc import Mapping, Sequence
from typing import Any

from stages.compare.runs import Run
from stages.metrics.accuracy import Places, user_metrics
from stages.metrics.bootstrap import bootstrap_means, intervals
from stages.metrics.randomization import randomization_test
from stages.metrics.slices import POPULARITY_GROUPS, length_group, popularity_group

LEVEL = 0.95
"""Of the intervals."""


def side_by_side(runs: Sequence[Run], where: Mapping[str, Places], names: Sequence[str]) -> list[dict[str, Any]]:
    """The means of each metric by run, then the measures of the lists beyond accuracy."""
    means = {name: user_metrics(of, names).mean(axis=0) for name, of in where.items()}
    table: list[dict[str, Any]] = [
        {"metric": metric, "values": {name: float(means[name][i]) for name in means}} for i, metric in enumerate(names)
    ]
    beyond = {run.name: {} if run.switched else run.facts.get("beyond_accuracy", {}) for run in runs}
    for metric in dict.fromkeys(metric for measured in beyond.values() for metric in measured):
        table.append({"metric": metric, "values": {name: measured.get(metric) for name, measured in beyond.items()}})
    return table


def slices_of(runs: Sequence[Run], bounds: Sequence[int], notes: list[str]) -> list[tuple[dict[str, Any], Any]]:
    """Labels and mask (R,) of every slice that has targets; what cannot be sliced is noted."""
    slices: list[tuple[dict[str, Any], Any]] = []
    lengths = next((run.history_length for run in runs if run.history_length is not None), None)
    if lengths is None:
        notes.append("no run tells the lengths of the histories: no slices by history length")
    else:
        group, labels = length_group(lengths, bounds)
        slices += [({"by": "history length", "slice": label}, group == i) for i, label in enumerate(labels)]
    counted = next((run for run in runs if run.target_count is not None and "popularity_groups" in run.facts), None)
    if counted is None:
        notes.append("no run tells the popularity of the targets: no slices by item popularity")
    else:
        assert counted.target_count is not None
        starts = [row["from_interactions"] for row in counted.facts["popularity_groups"]]
        group = popularity_group(counted.target_count, starts)
        slices += [({"by": "item popularity", "slice": label}, group == i) for i, label in enumerate(POPULARITY_GROUPS)]
    return [(labels, chosen) for labels, chosen in slices if chosen.any()]


def differences_from(
    where: Mapping[str, Places], reference: str, names: Sequence[str], samples: int, seed: int
) -> list[dict[str, Any]]:
    """A row per metric and run other than the reference."""
    values = {name: user_metrics(of, names) for name, of in where.items()}
    rows = []
    for name in (name for name in values if name != reference):
        # One run at a time: who differs, and so what is drawn, depends on the two alone.
        between = values[name] - values[reference]
        low, high = intervals(bootstrap_means(between, samples=samples, seed=seed), LEVEL)
        p_values = randomization_test(between, samples=samples, seed=seed)
        for i, metric in enumerate(names):
            rows.append(
                {
                    "metric": metric,
                    "run": name,
                    "reference": float(values[reference][:, i].mean()),
                    "mean": float(values[name][:, i].mean()),
                    "difference": float(between[:, i].mean()),
                    "low": float(low[i]),
                    "high": float(high[i]),
                    "p": float(p_values[i]),
                }
            )
    return sorted(rows, key=lambda row: names.index(row["metric"]))
