"""The split by points in time of a log in partitions."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.frame.cluster import Cluster
from stages.preprocess.cluster.partition import Mask, Rest, Rows, Sparse, counted, merged_dropped
from stages.preprocess.histories.temporal import (
    cutoffs,
    kept_targets,
    others,
    parts_of,
    require_times,
    without_history,
)
from stages.preprocess.logs.clock import Clock
from stages.preprocess.options import TARGETS, TEMPORAL, PreprocessOptions

_BINS = 1 << 16
"""By which each look at all times narrows the range in which one of them lies."""

Learnt = Sequence[tuple[Any, Any]]
"""References to the rows and the rest of each partition."""


def divide(
    cluster: Cluster, options: PreprocessOptions, clock: Clock, learnt: Learnt, masks: Sequence[Any]
) -> tuple[list[tuple[Any, Any]], list[Any], dict[str, Any], dict[str, int], list[Sparse]]:
    """Give each interaction its part by its time alone, as ``histories.temporal`` does in one place.

    Args:
        cluster: that holds the partitions.
        options: the cutoffs, and which of a user's interactions are targets.
        clock: the unit of the times.
        learnt: the partitions.
        masks: references to what is kept of them, ``None`` for all.

    Returns:
        The partitions with parts, what is kept of them, what is to be recorded of the split, what was dropped, and the
        counts of the items that are left.

    Raises:
        UsageError: when times are missing, or the cutoffs do not divide them.
    """
    task = cluster.task(look)
    seen = list(cluster.each([task.remote(rest, mask) for (_, rest), mask in zip(learnt, masks, strict=True)]))
    rows = sum(count for count, *_ in seen)
    require_times(sum(unknown for _, unknown, *_ in seen), rows)
    low, high = (int(bound([one[place] for one in seen if one[0]])) for bound, place in ((min, 2), (max, 3)))

    def ordered(place: int) -> int:
        if place in (0, rows - 1):
            return low if place == 0 else high
        return _at(cluster, [rest for _, rest in learnt], masks, place, low, high)

    valid_from, test_from = cutoffs(options, clock, rows, ordered)
    targets = options.targets or TARGETS[0]
    task = cluster.task(cut, num_returns=3)
    made = [
        task.remote(mine, rest, mask, valid_from, test_from, targets)
        for (mine, rest), mask in zip(learnt, masks, strict=True)
    ]
    told = list(cluster.each([known for *_, known in made]))
    facts: dict[str, Any] = {"split": TEMPORAL, "valid_from": valid_from, "test_from": test_from, "targets": targets}
    facts |= merged_dropped([alone for _, alone, _ in told])
    dropped = {others(targets): sum(gone for gone, _, _ in told)}
    parts = [(mine, rest) for (mine, _), (rest, _, _) in zip(learnt, made, strict=True)]
    return parts, [mask for _, mask, _ in made], facts, dropped, [counts for *_, counts in told]


def _at(cluster: Cluster, rests: Sequence[Any], masks: Sequence[Any], place: int, low: int, high: int) -> int:
    """The time at a place, from 0, of all times in ascending order, which lies from ``low`` to ``high``."""
    task = cluster.task(count_times)
    while low < high:
        width = (high - low) // _BINS + 1
        counts = np.zeros(_BINS, np.int64)
        for more in cluster.each([task.remote(*one, low, width) for one in zip(rests, masks, strict=True)]):
            counts += more
        ends = np.cumsum(counts)
        chosen = int(np.searchsorted(ends, place, side="right"))
        place -= int(ends[chosen] - counts[chosen])
        low, high = low + chosen * width, min(high, low + (chosen + 1) * width - 1)
    return low


def look(rest: Rest, kept: Mask | None) -> tuple[int, int, int, int]:
    """Of the times that are kept: how many, how many of them are unknown, the first and the last."""
    times = rest.times if kept is None else rest.times[kept]
    unknown = 0 if rest.unknown is None else int((rest.unknown if kept is None else rest.unknown[kept]).sum())
    return len(times), unknown, *((int(times.min()), int(times.max())) if len(times) else (0, 0))


def count_times(rest: Rest, kept: Mask | None, low: int, width: int) -> npt.NDArray[np.int64]:
    """How many times lie in each of the bins of this width that begin at ``low``."""
    times = rest.times if kept is None else rest.times[kept]
    bins = (times[times >= low] - low) // width
    return np.bincount(bins[bins < _BINS], minlength=_BINS)


def cut(
    rows: Rows, rest: Rest, kept: Mask | None, valid_from: int, test_from: int, targets: str
) -> tuple[Rest, Mask, tuple[int, dict[str, int], Sparse]]:
    """Give the interactions of a partition their parts, and leave out those that are no targets.

    Returns:
        The partition with its parts; what is kept; how many fell away, targets without a history, counts of the items.
    """
    mask = np.ones(len(rows.users), np.bool_) if kept is None else kept.copy()
    parts = parts_of(rest.times, valid_from, test_from)
    users, own = rows.users[mask], parts[mask]
    stay = kept_targets(users, own, targets)
    mask[mask] = stay
    told = int((~stay).sum()), without_history(users[stay], own[stay]), counted(rows.items[mask])
    return replace(rest, parts=parts), mask, told
