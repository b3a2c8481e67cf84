"""The options of ``report``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from stages.artifacts.errors import UsageError
from stages.frame.comparison import COMPARISON, HistoryBuckets, Seed, require_metrics_and_buckets
from stages.frame.options import Option, Options

CONTENT = "Content"


@dataclass(frozen=True)
class ReportOptions(Options):
    """What the page shows; see :func:`stages.report.report`."""

    runs: Annotated[
        tuple[str, ...],
        Option(
            "Evaluated runs to compare with: work directories, or tables of ranks, from the current folder on; "
            "NAME=PATH gives one a name of its own.",
            COMPARISON,
            metavar="RUN...",
            unset="no other run",
            argument=True,
        ),
    ] = ()
    name: Annotated[
        str | None,
        Option("What the run of the work directory is called.", CONTENT, metavar="NAME", unset="its model"),
    ] = None
    title: Annotated[
        str | None,
        Option(
            "The text view that names an item to a reader.", CONTENT, metavar="VIEW", unset="title, else the first view"
        ),
    ] = None
    users: Annotated[
        int,
        Option("Users whose history and list are shown, from the best rank to the worst.", CONTENT, min=0, metavar="N"),
    ] = 20
    output: Annotated[
        Path | None,
        Option("Where the page goes.", CONTENT, metavar="FILE", unset="report.html in the work directory"),
    ] = None
    metrics: Annotated[
        tuple[str, ...],
        Option(
            "Metrics of charts, slices and differences: recall@K, ndcg@K, hit@K, map@K for any K, and mrr.",
            COMPARISON,
            metavar="METRIC,...",
        ),
    ] = ("ndcg@10", "recall@10")
    history_buckets: HistoryBuckets = (5, 10, 20, 50)
    resamples: Annotated[
        int,
        Option(
            "Resamples for the intervals of slices and differences, and random swaps for p.",
            COMPARISON,
            min=1,
            limit=10_000_000,
            metavar="N",
        ),
    ] = 1000
    seed: Seed = 0

    def check(self) -> None:
        """Refuse no metrics, buckets that do not ascend, and a name that ``NAME=PATH`` could not have.

        Raises:
            UsageError: naming the option.
        """
        require_metrics_and_buckets(self.metrics, self.history_buckets)
        names = tuple(dict.fromkeys(name.strip().lower() for name in self.metrics if name.strip()))
        object.__setattr__(self, "metrics", names)
        if self.name is not None and (not self.name.strip() or "=" in self.name):
            raise UsageError(f"--name {self.name!r} is no name for a run", "Choose one without = that is not empty.")
