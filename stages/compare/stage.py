"""The entry point of comparison."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from stages.artifacts.errors import UsageError
from stages.compare.options import CompareOptions
from stages.compare.runs import Run, aligned, by_protocol, locate, read_run, require_same_protocol
from stages.compare.tables import LEVEL, differences_from, side_by_side, slices_of
from stages.frame.reporter import Reporter
from stages.metrics.accuracy import check_names, cutoff_of
from stages.metrics.randomization import holm

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
    check_names(names)
    paths = locate(options.runs)
    if len(paths) < 2:
        raise UsageError("a comparison needs at least two runs", "Name their work directories.")
    reference = options.baseline or next(iter(paths))
    if reference not in paths:
        raise UsageError(f"--baseline {reference!r} is none of the runs", f"Choose one of {', '.join(paths)}.")
    read = {name: read_run(name, path) for name, path in paths.items()}
    require_same_protocol(list(read.values()))
    protocol = _protocol(options, list(read.values()), read[reference])
    first = by_protocol(read[reference], protocol)
    found = [aligned(by_protocol(run, protocol), first) for run in read.values()]
    notes = _notes(found, names)
    told = next((run.facts for run in found if run.lineage), {})
    slices = slices_of(found, list(options.history_buckets), notes)
    where = {run.name: run.places for run in found}
    everything = np.ones(len(first.rank), bool)
    differences: list[dict[str, Any]] = []
    by_slice: list[dict[str, Any]] = []
    with reporter.track("comparing", 1 + len(slices), "groups of targets") as advance:
        for labels, chosen in [({}, everything), *slices]:
            part = {name: of.part(chosen) for name, of in where.items()}
            rows = differences_from(part, reference, names, options.resamples, options.seed)
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
        "users": len(where[reference].users),
        "targets": len(first.rank),
        "split": told.get("split"),
        "items": told.get("items"),
        "exclude_seen": protocol,
        "method": {**METHOD, "resamples": options.resamples, "seed": options.seed},
        "metrics": side_by_side(found, where, names),
        "differences": differences,
        "slices": by_slice,
        "notes": notes,
    }


def _protocol(options: CompareOptions, runs: Sequence[Run], baseline: Run) -> bool | None:
    """Whether the history is excluded: as asked for, else as in the baseline, else as in the first run that tells."""
    told = [options.exclude_seen, baseline.exclude_seen, *(run.exclude_seen for run in runs)]
    return next((known for known in told if known is not None), None)


def _notes(runs: Sequence[Run], names: Sequence[str]) -> list[str]:
    """What has to be known of the runs before their figures are believed."""
    notes = []
    cutoffs = sorted({k for name in names if (k := cutoff_of(name)) is not None})
    for run in runs:
        if run.lineage is None:
            notes.append(
                f"{run.name}: {run.path} carries no lineage; its split, data, protocol and ties are taken on trust"
            )
        if run.switched:
            how = ("all items ranked", "history excluded")
            notes.append(
                f"{run.name}: evaluated with {how[bool(run.exclude_seen)]}, compared with "
                f"{how[not run.exclude_seen]}; the measures of its lists are left out"
            )
        for k in cutoffs if run.ties is not None else ():
            assert run.ties is not None
            if straddling := int(((run.rank > k) & (run.rank - run.ties <= k)).sum()):
                notes.append(
                    f"{run.name}: {straddling:,} targets tie with other items across rank {k}; they count as misses"
                )
    return notes
