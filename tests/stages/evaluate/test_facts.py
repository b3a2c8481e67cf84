import numpy as np
import pytest

from stages.artifacts.sequences import Sequences
from stages.evaluate.facts import evaluation_facts
from stages.evaluate.options import EvaluateOptions
from stages.frame.run import StageRun
from stages.model.popularity import TRAINING, occurrences
from stages.model.ranking import Ranking, queries

ITEMS = 6


@pytest.fixture
def facts(tmp_path):
    """What is told of three users with the targets 3, 1 (seen before), and 5 twice (never in training)."""
    items = np.array([1, 2, 3, 1, 2, 1, 2, 4, 5, 5], np.int32)
    ends = np.array([2, 2, 2])
    sequences = Sequences(items, np.array([0, 3, 6, 10]), ends, ends)
    wanted = queries(sequences, "test", 10)
    lists = np.array([[6, 3], [3, 4], [5, 1], [5, 1]], np.int32)
    ranks, without_seen = np.array([2, 1, 4, 4]), np.array([1, ITEMS + 1, ITEMS, ITEMS])
    ranking = Ranking(ranks, without_seen, np.zeros(4, int), np.zeros(4, int), lists, lists.astype(np.float32))
    counts = occurrences(sequences, ITEMS, TRAINING)

    def make(**changed):
        options = EvaluateOptions(resamples=20, cutoffs=(1, 2), **changed)
        return evaluation_facts(
            StageRun("evaluate", options, tmp_path, None), options, sequences, wanted, ranking, counts
        )

    return make


def test_targets_are_counted(facts):
    found = facts()
    assert {name: found[name] for name in ("users", "targets", "repeated_targets", "items", "seen_targets")} == {
        "users": 3,
        "targets": 4,
        "repeated_targets": 1,
        "items": ITEMS,
        "seen_targets": 1,
    }
    groups = {group["group"]: (group["items"], group["targets"]) for group in found["popularity_groups"]}
    assert groups == {"unseen": (3, 3), "cold": (3, 1), "tail": (0, 0), "head": (0, 0)}


def test_both_protocols_are_told_and_one_goes_first(facts):
    for exclude_seen, name in ((False, "all_items"), (True, "exclude_seen")):
        found = facts(exclude_seen=exclude_seen)
        assert found["exclude_seen"] is exclude_seen
        assert found["metrics"] == found["protocols"][name]["metrics"]
        assert found["popularity"] == found["protocols"][name]["popularity"]
    mrr = {name: of["metrics"]["mrr"]["mean"] for name, of in found["protocols"].items()}
    assert mrr["all_items"] == pytest.approx((1 / 2 + 1 + 1 / 4) / 3)
    assert mrr["exclude_seen"] == pytest.approx((1 + 0 + 1 / ITEMS) / 3)  # what was seen is a miss


def test_unseen_targets_have_metrics_of_their_own(facts):
    found = facts()
    assert found["unseen_targets"] == 3
    assert found["unseen_metrics"]["mrr"]["mean"] == pytest.approx((1 / 2 + 1 / 4) / 2)


def test_lists_are_measured_once_a_user_where_there_are_any(facts):
    found = facts(top=2)["beyond_accuracy"]
    assert found["coverage@2"] == pytest.approx(5 / 6)
    assert found["gini@2"] is not None
    assert facts(top=0)["beyond_accuracy"] == {}
