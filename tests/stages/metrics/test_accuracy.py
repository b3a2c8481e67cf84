import numpy as np
import pytest

from stages.artifacts.errors import UsageError
from stages.metrics.accuracy import mean_metrics, metric_names, named_metrics, per_rank


def test_metrics_of_known_ranks():
    values = per_rank(np.array([1, 2, 10, 11]), [1, 10])
    assert metric_names([1, 10]) == ["recall@1", "ndcg@1", "recall@10", "ndcg@10", "mrr"]
    ten = 1 / np.log2(11)
    expected = [
        [1, 1, 1, 1, 1],
        [0, 0, 1, 1 / np.log2(3), 1 / 2],
        [0, 0, 1, ten, 1 / 10],
        [0, 0, 0, 0, 1 / 11],
    ]
    np.testing.assert_allclose(values, expected)
    assert mean_metrics(np.array([1, 11]), [10])["recall@10"] == 0.5


def test_metrics_by_name():
    values = named_metrics(np.array([3, 8]), ["mrr", "ndcg@7", "recall@8"])
    np.testing.assert_allclose(values, [[1 / 3, 0.5, 1], [1 / 8, 0, 1]])


@pytest.mark.parametrize("name", ["ndcg", "ndcg@0", "ndcg@x", "mrr@5", "precision@5", ""])
def test_unknown_names_are_refused(name):
    with pytest.raises(UsageError, match="unknown metric"):
        named_metrics(np.array([1]), [name])
