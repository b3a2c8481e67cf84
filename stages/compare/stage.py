"""The entry point of comparison."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.artifacts.errors import UsageError
from stages.compare.options import CompareOptions
from stages.compare.runs import Run, aligned, locate, read_run, require_same_protocol
from stages.frame.reporter import Reporter
from stages.metrics.accuracy import named_metrics
from stages.metrics.bootstrap import bootstrap_means, intervals
from stages.metrics.randomization import holm, randomization_test
from stages.metrics.slices import POPULARITY_GROUPS, length_group, popularity_group

Integers = npt.NDArray[np.int64]

LEVEL = 0.95
METHOD = {
    "test": "two-sided paired randomization test over users",
    "correction": "Holm, over all comparisons of a table",
    "interval": f"{LEVEL:.0%} percentile bootstrap over users, of the paired difference",
}
"""How differences are judged."""


def compare(options: CompareOptions, *, reporter: Reporter | None = None) -> dict[str, Any]:
    """Compare evaluated runs with a reference, user by user, over all targets and over slices of them.

    The slices are the lengths of the histories before the split, and the popularity of the targets in training, see
    :mod:`stages.metrics.slices`. Nothing is written. The figures of a run do not depend on which others are compared,
    but for the correction for several comparisons.

    Args:
        options: at least two ``runs``.
        reporter: is told about progress.

    Returns:
        JSON values. ``metrics``, ``differences`` and ``slices`` are tables with a row per metric, per metric and run,
        and per slice, metric and run; ``p_holm`` is corrected within ``differences``, and within each kind of slice.

    Raises:
        UsageError: for options that do not fit.
        DataError: for runs that cannot be read or must not be compared.
    """
    reporter = reporter or Reporter()
    names = list(dict.fromkeys(name.strip().lower() for name in options.metrics))
    named_metrics(np.ones(1, np.int64), names)  # refuses unknown ones before anything is read
    paths = locate(options.runs)
    if len(paths) < 2:
        raise UsageError("a comparison needs at least two runs", "Name their work directories.")
    reference = options.baseline or next(iter(paths))
    if reference not in paths:
        raise UsageError(f"--baseline {reference!r} is none of the runs", f"Choose one of {', '.join(paths)}.")
    read = {name: read_run(name, path) for name, path in paths.items()}
    require_same_protocol(list(read.values()))
    first = read[reference]
    found = [aligned(run, first) for run in read.values()]
    notes = [
        f"{run.name}: {run.path} carries no lineage; its split, data and protocol are taken on trust"
        for run in found
        if run.lineage is None
    ]
    told = next((run.facts for run in found if run.lineage), {})
    slices = _slices(found, list(options.history_buckets), notes)
    values = {run.name: named_metrics(run.rank, names) for run in found}
    users = first.user_ids.dictionary_encode().indices.to_numpy().astype(np.int64)
    everything = np.ones(len(users), bool)
    differences: list[dict[str, Any]] = []
    by_slice: list[dict[str, Any]] = []
    with reporter.track("comparing", 1 + len(slices), "groups of targets") as advance:
        for labels, chosen in [({}, everything), *slices]:
            part = {name: matrix[chosen] for name, matrix in values.items()}
            rows = _differences(part, reference, users[chosen], names, options.resamples, options.seed)
            advance(1)
            if labels:
                by_slice += [{**labels, "targets": int(chosen.sum()), **row} for row in rows]
            else:
                differences = rows
    kinds = dict.fromkeys(row["by"] for row in by_slice)
    for table in (differences, *([row for row in by_slice if row["by"] == by] for by in kinds)):
        for row, corrected in zip(table, holm([row["p"] for row in table]), strict=True):
            row["p_holm"] = float(corrected)
    return {
        "baseline": reference,
        "runs": {run.name: {"path": str(run.path), "model": run.facts.get("model")} for run in found},
        "users": int(users.max()) + 1,
        "targets": len(users),
        **{name: told.get(name) for name in ("split", "items", "exclude_seen")},
        "method": {**METHOD, "resamples": options.resamples, "seed": options.seed},
        "metrics": _side_by_side(found, values, names),
        "differences": differences,
        "slices": by_slice,
        "notes": notes,
    }


def _side_by_side(
    runs: Sequence[Run], values: dict[str, npt.NDArray[np.float64]], names: Sequence[str]
) -> list[dict[str, Any]]:
    means = {name: matrix.mean(axis=0) for name, matrix in values.items()}
    table: list[dict[str, Any]] = [
        {"metric": metric, "values": {name: float(means[name][i]) for name in values}} for i, metric in enumerate(names)
    ]
    beyond = {run.name: run.facts.get("beyond_accuracy", {}) for run in runs}
    for metric in dict.fromkeys(metric for measured in beyond.values() for metric in measured):
        table.append({"metric": metric, "values": {name: measured.get(metric) for name, measured in beyond.items()}})
    return table


def _slices(runs: Sequence[Run], bounds: Sequence[int], notes: list[str]) -> list[tuple[dict[str, Any], Any]]:
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


def _differences(
    values: dict[str, npt.NDArray[np.float64]],
    reference: str,
    users: Integers,
    names: Sequence[str],
    samples: int,
    seed: int,
) -> list[dict[str, Any]]:
    """A row per metric and run other than the reference, from (R, m) metrics of each target."""
    rows = []
    for name in (name for name in values if name != reference):
        # One run at a time: who differs, and so what is drawn, depends on the two alone.
        between = values[name] - values[reference]
        low, high = intervals(bootstrap_means(between, users, samples=samples, seed=seed), LEVEL)
        p_values = randomization_test(between, users, samples=samples, seed=seed)
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
