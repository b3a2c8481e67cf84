"""Options of all that compares runs."""

from collections.abc import Sequence
from typing import Annotated

from stages.artifacts.errors import UsageError
from stages.frame.options import Option

COMPARISON = "Comparison"
"""Help panel of how runs are compared."""

HistoryBuckets = Annotated[
    tuple[int, ...],
    Option(
        "Longest history of each slice by history length, in items; the last slice is open.",
        COMPARISON,
        metavar="N,N",
    ),
]

Seed = Annotated[int, Option("Decides the resamples and swaps.", COMPARISON, min=0, metavar="N")]


def require_metrics_and_buckets(metrics: Sequence[str], history_buckets: Sequence[int]) -> None:
    """Refuse no metrics, and buckets that do not ascend.

    Raises:
        UsageError: naming the option.
    """
    if not any(name.strip() for name in metrics):
        raise UsageError("--metrics names no metric", "For example --metrics ndcg@10,recall@10.")
    bounds = list(history_buckets)
    if bounds != sorted(set(bounds)) or bounds[:1] < [1]:
        raise UsageError(
            "--history-buckets must be ascending whole numbers from 1", "For example --history-buckets 5,10."
        )
