"""Accuracy of rankings with one target each, from the target's rank alone."""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from stages.artifacts.errors import UsageError

Ranks = npt.NDArray[np.int64]

_CUT_OFF = re.compile(r"(recall|ndcg)@([1-9][0-9]*)")


def metric_names(cutoffs: Sequence[int]) -> list[str]:
    """Names in the order of the columns of :func:`per_rank`."""
    return [f"{metric}@{k}" for k in cutoffs for metric in ("recall", "ndcg")] + ["mrr"]


def per_rank(ranks: Ranks, cutoffs: Sequence[int]) -> npt.NDArray[np.float64]:
    """Metrics of each ranking.

    Args:
        ranks: (R,) rank of the target, from 1.
        cutoffs: the K of Recall@K (with one target the same as HitRate@K) and NDCG@K; MRR is not cut off.

    Returns:
        (R, 2 len(cutoffs) + 1) in the order of :func:`metric_names`.
    """
    return named_metrics(ranks, metric_names(cutoffs))


def named_metrics(ranks: Ranks, names: Sequence[str]) -> npt.NDArray[np.float64]:
    """Metrics of each ranking, (R,) ranks from 1 to (R, len(names)).

    Raises:
        UsageError: for a name that is none of ``recall@K``, ``ndcg@K`` and ``mrr``.
    """
    columns = []
    for name in names:
        cut_off = _CUT_OFF.fullmatch(name)
        if cut_off:
            gain = 1 / np.log2(ranks + 1.0) if cut_off[1] == "ndcg" else 1.0
            columns.append(np.where(ranks <= int(cut_off[2]), gain, 0.0))
        elif name == "mrr":
            columns.append(1.0 / ranks)
        else:
            raise UsageError(f"unknown metric {name!r}", "Metrics are recall@K, ndcg@K, such as ndcg@10, and mrr.")
    return np.stack(columns, axis=1)


def mean_metrics(ranks: Ranks, cutoffs: Sequence[int]) -> dict[str, float]:
    """Means over all rankings, by name; NaN where there are none."""
    values = per_rank(ranks, cutoffs).mean(0) if len(ranks) else np.full(2 * len(cutoffs) + 1, np.nan)
    return dict(zip(metric_names(cutoffs), values.tolist(), strict=True))
