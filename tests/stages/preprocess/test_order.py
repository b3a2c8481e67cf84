import numpy as np
import pytest

from stages.preprocess.order import by_user_and_time, first_of_equals, move_runs


@pytest.mark.parametrize(
    "times", [[5, 0, 5], [-(2**62), 0, 2**62], [np.iinfo(np.int64).min, 0, np.iinfo(np.int64).max]]
)
def test_order_and_ties_equal_those_of_a_stable_sort(times: list[int]) -> None:
    rng = np.random.default_rng(0)
    users = rng.integers(20, size=500).astype(np.uint32)
    chosen = np.array(times, np.int64)[rng.integers(3, size=500)]
    order, tied = by_user_and_time(users, chosen)
    np.testing.assert_array_equal(order, np.lexsort((chosen, users)))
    same = (np.diff(users[order].astype(int)) == 0) & (chosen[order][1:] == chosen[order][:-1])
    np.testing.assert_array_equal(tied, np.append(False, same))


@pytest.mark.parametrize("times", [np.arange(500), np.arange(500) // 9])
def test_rows_in_the_order_of_time(times: np.ndarray) -> None:
    users = np.random.default_rng(0).integers(3, size=500).astype(np.uint32)
    order, tied = by_user_and_time(users, times)
    np.testing.assert_array_equal(order, np.argsort(users, kind="stable"))
    same = (np.diff(users[order].astype(int)) == 0) & (np.diff(times[order]) == 0)
    np.testing.assert_array_equal(tied, np.append(False, same))


def test_of_equal_rows_the_first_is_kept() -> None:
    rng = np.random.default_rng(0)
    users, items = (rng.integers(5, size=300).astype(np.uint32) for _ in range(2))
    times = rng.integers(4, size=300)
    order, tied = by_user_and_time(users, times)
    kept = order[first_of_equals(tied, items[order])]
    rows = np.stack([users, items, times], axis=1)
    _, first = np.unique(rows, axis=0, return_index=True)
    np.testing.assert_array_equal(np.sort(kept), np.sort(first))


def test_runs_change_places() -> None:
    rows, places = move_runs(np.array([7, 7, 9, 3, 3, 3]), np.array([1, 2, 0], np.uint32))
    assert rows.tolist() == [3, 4, 5, 0, 1, 2]
    assert places.tolist() == [0, 0, 0, 1, 1, 2]
