"""The options of ``compare``."""

from dataclasses import dataclass
from typing import Annotated

from stages.frame.comparison import COMPARISON, HistoryBuckets, Seed, require_metrics_and_buckets
from stages.frame.options import Option, Options


@dataclass(frozen=True)
class CompareOptions(Options):
    """Which runs are compared, and how; see :func:`stages.compare.compare`."""

    runs: Annotated[
        tuple[str, ...],
        Option(
            "Work directories, or tables of ranks kept elsewhere; NAME=PATH gives one a name of its own.",
            COMPARISON,
            metavar="RUN...",
            argument=True,
        ),
    ]
    baseline: Annotated[
        str | None,
        Option("Name of the run the others are compared with.", COMPARISON, metavar="NAME", unset="the first"),
    ] = None
    metrics: Annotated[
        tuple[str, ...],
        Option(
            "Of recall@K, ndcg@K, hit@K, map@K and mrr, for any K: ndcg@10,recall@50 or given several times.",
            COMPARISON,
            metavar="METRIC,...",
        ),
    ] = ("ndcg@10", "recall@10")
    exclude_seen: Annotated[
        bool | None,
        Option(
            "Compare by the ranks without the items of the history, or among all items.",
            COMPARISON,
            unset="as the baseline was evaluated",
        ),
    ] = None
    history_buckets: HistoryBuckets = (5, 10, 20, 50)
    resamples: Annotated[
        int,
        Option(
            "Resamples for the intervals, and random swaps for p.",
            COMPARISON,
            min=1,
            limit=10_000_000,
            metavar="N",
            former=("samples",),
        ),
    ] = 10_000
    seed: Seed = 0

    def check(self) -> None:
        """Refuse no metrics, and buckets that do not ascend.

        Raises:
            UsageError: naming the option.
        """
        require_metrics_and_buckets(self.metrics, self.history_buckets)
