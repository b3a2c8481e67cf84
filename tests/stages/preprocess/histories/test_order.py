import numpy as np
import pytest

from stages.preprocess.histories.order import (
    ascending,
    backwards,
    mostly,
    move_runs,
    one_of_repeats,
    rows_of,
    run_starts,
)


@pytest.mark.parametrize("bounds", [(0, 20), (-(2**62), 2**62), (np.iinfo(np.int64).min, np.iinfo(np.int64).max)])
def test_the_order_is_that_of_a_stable_sort(bounds: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    values = rng.choice(rng.integers(*bounds, size=30, endpoint=True), 500)
    np.testing.assert_array_equal(ascending(values), np.argsort(values, kind="stable"))


def test_small_unsigned_numbers_in_order() -> None:
    values = np.array([3, 0, 3, 1], np.uint32)
    assert ascending(values).tolist() == [1, 3, 0, 2]


def test_runs_change_places() -> None:
    rows, places = move_runs(np.array([7, 7, 9, 3, 3, 3]), np.array([1, 2, 0], np.uint32))
    assert rows.tolist() == [3, 4, 5, 0, 1, 2]
    assert places.tolist() == [0, 0, 0, 1, 1, 2]


def test_runs_end_where_any_column_changes() -> None:
    assert run_starts(np.array([1, 1, 1, 2, 2]), np.array([5, 5, 6, 6, 6])).tolist() == [0, 2, 3]
    assert run_starts(np.zeros(0)).tolist() == []


def test_runs_may_be_empty() -> None:
    assert rows_of(np.array([4, 9, 0]), np.array([2, 0, 3])).tolist() == [4, 5, 0, 1, 2]


def test_one_of_repeats() -> None:
    users, items = np.array([0, 0, 0, 1, 1], np.uint32), np.array([2, 1, 2, 2, 2], np.uint32)
    assert one_of_repeats(users, items, "first").tolist() == [True, True, False, True, False]
    assert one_of_repeats(users, items, "last").tolist() == [False, True, True, False, True]


def test_logs_that_run_backwards() -> None:
    users, tied = np.array([0, 0, 0, 1, 1]), np.array([False, False, True, False, False])
    assert mostly(*backwards(users, np.array([9, 3, 4, 8, 1]), tied))
    assert not mostly(*backwards(users, np.array([3, 9, 8, 1, 8]), tied))
    assert not mostly(*backwards(users[:1], np.array([3]), tied[:1]))
