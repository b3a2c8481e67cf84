import numpy as np
import pytest

from stages.metrics.slices import POPULARITY_GROUPS, length_group, popularity_bounds, popularity_group


def _groups(counts):
    counts = np.array(counts)
    return [POPULARITY_GROUPS[i] for i in popularity_group(counts, popularity_bounds(counts))]


def test_the_head_makes_up_half_of_the_interactions():
    assert _groups([40, 20, 20, 10, 6, 4, 1, 0]) == ["head", "head", "head", "tail", "tail", "cold", "cold", "unseen"]
    assert popularity_bounds(np.array([40, 20, 20, 10, 6, 4])) == [0, 1, 5, 20]
    assert _groups([60, 20, 20]) == ["head", "tail", "tail"]


def test_what_hardly_occurs_is_cold_however_little_the_others_do():
    assert _groups([3, 2, 1, 0]) == ["cold", "cold", "cold", "unseen"]
    assert popularity_bounds(np.zeros(3, int)) == [0, 1, 5, 5]


@pytest.mark.parametrize(
    ("bounds", "names", "groups"),
    [
        ([5, 10], ["1-5", "6-10", "11+"], [0, 0, 1, 1, 2]),
        ([1, 6], ["1", "2-6", "7+"], [0, 1, 1, 2, 2]),
        ([5], ["1-5", "6+"], [0, 0, 1, 1, 1]),
    ],
)
def test_history_buckets(bounds, names, groups):
    found, labels = length_group(np.array([1, 5, 6, 10, 11]), bounds)
    assert (labels, found.tolist()) == (names, groups)
