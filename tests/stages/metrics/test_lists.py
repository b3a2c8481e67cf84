import numpy as np
import pytest

from stages.metrics.lists import list_metrics


def test_by_hand():
    # Items 1 and 2 twice, 3 once, 4 never; training saw them 5, 2, 1 and 0 times.
    lists, counts = np.array([[1, 2], [2, 1], [3, 0]]), np.array([5, 2, 1, 0])
    found = list_metrics(lists, counts)
    assert found["coverage"] == 3 / 4
    assert found["arp"] == pytest.approx((3.5 + 3.5 + 1) / 3)
    information = -np.log2(np.array([6, 3, 2, 1]) / 12)
    mean = (information[0] + information[1]) / 2
    assert found["novelty"] == pytest.approx((2 * mean + information[2]) / 3)
    exposure = np.array([2, 2, 1, 0])
    gini = np.abs(exposure[:, None] - exposure).sum() / (2 * 4 * exposure.sum())
    assert found["gini"] == pytest.approx(gini)


def test_extremes():
    counts = np.arange(1, 101)
    equal = list_metrics(np.arange(1, 101).reshape(10, 10), counts)
    assert (equal["coverage"], equal["gini"]) == (1, pytest.approx(0))
    one = list_metrics(np.full((50, 1), 100), counts)
    assert (one["coverage"], one["gini"]) == (0.01, pytest.approx(0.99))
    assert one["arp"] == 100 > equal["arp"]
    assert one["novelty"] < equal["novelty"]


def test_an_unseen_item_is_novel_and_finite():
    found = list_metrics(np.array([[2]]), np.array([7, 0]))
    assert found["novelty"] == pytest.approx(-np.log2(1 / 9))


def test_empty_lists_do_not_count():
    counts = np.array([3, 1])
    assert list_metrics(np.array([[1], [0]]), counts) == list_metrics(np.array([[1]]), counts)
    assert np.isnan(list(list_metrics(np.zeros((2, 3), int), counts).values())).all()
