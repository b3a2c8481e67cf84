import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ir_measures import AP, RR, R, Success, iter_calc, nDCG

from stages.artifacts.errors import UsageError
from stages.metrics.accuracy import mean_metrics, metric_names, places, user_metrics

LIBRARY = {"recall": R, "ndcg": nDCG, "hit": Success, "map": AP}


def _single(ranks):
    """The places of one target a user."""
    ranks = np.asarray(ranks)
    return places(ranks, np.arange(len(ranks)), np.ones(len(ranks), int))


def test_metrics_of_one_target_a_user():
    names = metric_names([1, 10])
    assert names == [f"{name}@{k}" for k in (1, 10) for name in ("recall", "ndcg", "hit", "map")] + ["mrr"]
    ten = 1 / np.log2(11)
    expected = [
        [1, 1, 1, 1, 1, 1, 1, 1, 1],
        [0, 0, 0, 0, 1, 1 / np.log2(3), 1, 1 / 2, 1 / 2],
        [0, 0, 0, 0, 1, ten, 1, 1 / 10, 1 / 10],
        [0, 0, 0, 0, 0, 0, 0, 0, 1 / 11],
    ]
    np.testing.assert_allclose(user_metrics(_single([1, 2, 10, 11]), names), expected)
    assert mean_metrics(_single([1, 11]), ["recall@10"]) == {"recall@10": 0.5}


def test_several_targets_of_a_user_by_hand():
    # Targets at places 1 and 3 of a list, and one at 20; K is 5.
    found = places(np.array([1, 3, 20]), np.zeros(3, int), np.array([7, 8, 9]))
    values = user_metrics(found, ["recall@5", "ndcg@5", "hit@5", "map@5", "mrr"])
    ideal = 1 + 1 / np.log2(3) + 1 / 2
    np.testing.assert_allclose(values, [[2 / 3, (1 + 1 / 2) / ideal, 1, (1 + 2 / 3) / 3, 1]])
    perfect = places(np.arange(1, 9), np.zeros(8, int), np.arange(8))
    np.testing.assert_allclose(user_metrics(perfect, ["ndcg@5", "ndcg@10", "map@10"]), [[1, 1, 1]])


def test_averages_are_over_users_not_targets():
    ranks, users = np.array([1, 50, 51, 52, 53]), np.array([0, 1, 1, 1, 1])
    assert mean_metrics(places(ranks, users, np.arange(5)), ["recall@10", "ndcg@10"]) == {
        "recall@10": 0.5,
        "ndcg@10": 0.5,
    }


def test_targets_that_tie_with_each_other_take_places_of_their_own():
    # Items 1 and 2 tie with each other and item 9, which is no target: it stands first, they at 2 and 3.
    found = places(np.array([3, 3]), np.zeros(2, int), np.array([1, 2]))
    assert found.place.tolist() == [2, 3]
    other = places(np.array([3, 3]), np.arange(2), np.array([1, 2]))  # of two users: each behind the two others
    assert other.place.tolist() == [3, 3]


def test_an_item_that_is_a_target_twice_counts_once():
    ranks, users, targets = np.array([4, 4, 6]), np.zeros(3, int), np.array([1, 1, 2])
    found = places(ranks, users, targets)
    assert (found.place.tolist(), found.repeated) == ([4, 6], 1)
    assert user_metrics(found, ["recall@5"]).tolist() == [[0.5]]


def test_a_target_that_is_not_ranked_is_a_miss_everywhere():
    found = places(np.array([2, 61, 61]), np.array([0, 0, 1]), np.array([1, 2, 3]), items=60)
    names = ["recall@100", "ndcg@100", "hit@100", "map@100", "mrr"]
    values = user_metrics(found, names)
    ideal = 1 + 1 / np.log2(3)
    np.testing.assert_allclose(values, [[0.5, 1 / np.log2(3) / ideal, 1, 0.25, 0.5], [0] * 5])


def test_a_part_of_the_targets_keeps_its_places():
    ranks, users, targets = np.array([1, 2, 5, 9]), np.array([0, 0, 0, 1]), np.array([1, 2, 3, 1])
    part = places(ranks, users, targets).part(np.array([False, True, True, False]))
    assert (part.users.tolist(), part.place.tolist()) == ([0], [2, 5])
    assert user_metrics(part, ["recall@2", "mrr"]).tolist() == [[0.5, 0.5]]


def test_ranks_that_cannot_be_are_told_by_row():
    with pytest.raises(ValueError, match=r"^1$"):
        places(np.array([3, 1, 1]), np.array([0, 1, 1]), np.array([1, 2, 3]))


def _expected(scores, targets, hidden, names):
    """Of one user, by trec_eval; the list has what is no target first among equals."""
    ranked = [item for item in range(len(scores)) if item not in hidden]
    ranked.sort(key=lambda item: (-scores[item], item in targets))
    run = {"user": {str(item): float(len(ranked) - place) for place, item in enumerate(ranked)}}
    judged = {"user": {str(item): 1 for item in targets}}
    measures = {name: LIBRARY[name.partition("@")[0]] @ int(name.partition("@")[2]) for name in names if "@" in name}
    measures["mrr"] = RR
    # Asked for one by one: the library tells a measure by its own name for it.
    return [next(iter(iter_calc([measures[name]], judged, run))).value for name in names]


@given(st.data())
def test_every_metric_is_that_of_an_independent_library(data):
    items = data.draw(st.integers(2, 12))
    names = metric_names(data.draw(st.sampled_from([[1, 3], [2, 5, 20]])))
    ranks, users, targets, expected = [], [], [], []
    for user in range(data.draw(st.integers(1, 3))):
        scores = data.draw(st.lists(st.integers(0, 4), min_size=items, max_size=items))  # few values: many ties
        of_user = data.draw(st.lists(st.integers(0, items - 1), min_size=1, max_size=6))
        hidden = data.draw(st.sets(st.integers(0, items - 1), max_size=items - 1))
        for target in of_user:  # repeats included
            ahead = sum(scores[item] >= scores[target] for item in range(items) if item not in hidden)
            ranks.append(items + 1 if target in hidden else ahead)
            users.append(user)
            targets.append(target)
        expected.append(_expected(scores, set(of_user), hidden, names))
    found = places(np.array(ranks), np.array(users), np.array(targets), items)
    np.testing.assert_allclose(user_metrics(found, names), expected, atol=1e-9)


@pytest.mark.parametrize("name", ["ndcg", "ndcg@0", "ndcg@x", "mrr@5", "precision@5", ""])
def test_unknown_names_are_refused(name):
    with pytest.raises(UsageError, match="unknown metric"):
        user_metrics(_single([1]), [name])
