"""Accuracy of rankings with one target each, from the target's rank alone."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Ranks = npt.NDArray[np.int64]


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
    gain = 1 / np.log2(ranks + 1.0)
    columns = [np.where(ranks <= k, value, 0.0) for k in cutoffs for value in (1.0, gain)]
    return np.stack([*columns, 1.0 / ranks], axis=1)


def mean_metrics(ranks: Ranks, cutoffs: Sequence[int]) -> dict[str, float]:
    """Means over all rankings, by name; NaN where there are none."""
    values = per_rank(ranks, cutoffs).mean(0) if len(ranks) else np.full(2 * len(cutoffs) + 1, np.nan)
    return dict(zip(metric_names(cutoffs), values.tolist(), strict=True))
