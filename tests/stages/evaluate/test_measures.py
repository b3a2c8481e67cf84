import numpy as np
import pyarrow as pa
import pytest

from stages.artifacts.errors import DataError
from stages.artifacts.lineage import Lineage
from stages.artifacts.names import EMBEDDINGS
from stages.artifacts.tables import write_table
from stages.artifacts.vectors import embeddings_schema, to_fixed_size_list
from stages.evaluate.measures import beyond_accuracy, popularity_groups, with_intervals
from stages.evaluate.options import EvaluateOptions
from stages.frame.run import StageRun
from stages.metrics.accuracy import places

COUNTS = np.array([9, 3, 0, 0])


@pytest.fixture
def run(tmp_path):
    return StageRun("evaluate", EvaluateOptions(), tmp_path, None)


def write_vectors(path, matrix):
    columns = [pa.array(range(1, len(matrix) + 1), pa.int32()), to_fixed_size_list(np.array(matrix, np.float32))]
    write_table(path, pa.table(columns, schema=embeddings_schema({"title": 2})), Lineage("embed", {}, {}))


def test_means_lie_in_their_intervals():
    ranks = np.random.default_rng(0).integers(1, 30, 200)
    found = places(ranks, np.arange(200), np.ones(200, int))
    metrics = with_intervals(found, [5, 10], 300, 0)
    assert list(metrics) == [f"{name}@{k}" for k in (5, 10) for name in ("recall", "ndcg", "hit", "map")] + ["mrr"]
    assert metrics["recall@10"]["mean"] == pytest.approx((ranks <= 10).mean())
    assert metrics["mrr"]["mean"] == pytest.approx((1 / ranks).mean())
    for of in metrics.values():
        assert of["low"] < of["mean"] < of["high"]
    assert with_intervals(found, [5, 10], 300, 0) == metrics
    assert with_intervals(found, [5, 10], 300, 1) != metrics


def test_a_single_user_has_an_interval_of_one_point():
    metrics = with_intervals(places(np.array([2]), np.zeros(1, int), np.ones(1, int)), [1], 20, 0)
    assert metrics["mrr"] == {"mean": 0.5, "low": 0.5, "high": 0.5}
    assert metrics["recall@1"] == {"mean": 0, "low": 0, "high": 0}


def test_lists_without_text_have_no_diversity(run):
    found = beyond_accuracy(run, np.array([[1, 2], [1, 0]], np.int32), COUNTS, 5)
    assert list(found) == ["coverage@5", "novelty@5", "arp@5", "gini@5"]
    assert found["coverage@5"] == 0.5
    assert found["arp@5"] == pytest.approx((6 + 9) / 2)


def test_lists_with_text_have_one_and_empty_lists_nothing(run):
    write_vectors(run.path(EMBEDDINGS), [[1, 0], [0, 1], [1, 0], [0, 1]])
    lists = np.array([[1, 2], [1, 3]], np.int32)
    assert beyond_accuracy(run, lists, COUNTS, 2)["diversity@2"] == pytest.approx(0.5)
    assert set(beyond_accuracy(run, np.zeros_like(lists), COUNTS, 2).values()) == {None}


def test_embeddings_of_other_items_are_refused(run):
    write_vectors(run.path(EMBEDDINGS), [[1, 0], [0, 1], [1, 0]])
    with pytest.raises(DataError, match=r"has 3 items, the model knows 4\nRun `cocorec embed` again"):
        beyond_accuracy(run, np.array([[1, 2]], np.int32), COUNTS, 2)


def test_groups_hold_every_item_and_target_once():
    counts = np.array([50, 30, 10, 6, 5, 4, 1, 0, 0])
    groups = popularity_groups(counts, counts[[0, 0, 4, 7]])
    assert groups == [
        {"group": "unseen", "from_interactions": 0, "items": 2, "targets": 1},
        {"group": "cold", "from_interactions": 1, "items": 2, "targets": 0},
        {"group": "tail", "from_interactions": 5, "items": 3, "targets": 1},
        {"group": "head", "from_interactions": 30, "items": 2, "targets": 2},
    ]
