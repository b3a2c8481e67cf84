import pytest

from stages.artifacts.errors import UsageError
from stages.compare import CompareOptions
from stages.frame.comparison import require_metrics_and_buckets
from stages.report import ReportOptions


def test_buckets_ascend_and_there_is_a_metric():
    require_metrics_and_buckets(("ndcg@10",), (5, 10))
    require_metrics_and_buckets(("", "mrr"), (1,))


@pytest.mark.parametrize(
    ("metrics", "buckets", "option"),
    [
        ((), (5,), "--metrics"),
        ((" ",), (5,), "--metrics"),
        (("mrr",), (), "--history"),
        (("mrr",), (0, 5), "--history"),
        (("mrr",), (5, 5), "--history"),
        (("mrr",), (9, 5), "--history"),
    ],
)
def test_others_are_refused_wherever_runs_are_compared(metrics, buckets, option):
    with pytest.raises(UsageError, match=option):
        require_metrics_and_buckets(metrics, buckets)
    for options in (ReportOptions, CompareOptions):
        with pytest.raises(UsageError, match=option):
            options(runs=("a", "b"), metrics=metrics, history_buckets=buckets)
