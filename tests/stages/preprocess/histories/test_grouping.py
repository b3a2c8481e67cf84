from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

from stages.preprocess.histories.grouping import group_by_user
from stages.preprocess.histories.order import Index, first_of_equals

ROWS = 500

Times = Callable[[np.random.Generator], npt.NDArray[np.int64]]


class _Colliding(pl.Series):
    """Strings of which many agree in the hash, and more of them in its first bits; the check tells all apart."""

    def hash(self, seed: int = 0, *rest: int | None) -> pl.Series:
        found = pl.Series.hash(self, seed)
        low = (found % 3).cast(pl.UInt64)
        return found if seed else low


def _drawn(*values: int) -> Times:
    return lambda rng: np.array(values, np.int64)[rng.integers(len(values), size=ROWS)]


TIMES: dict[str, Times] = {
    "unsorted": _drawn(5, 0, 6),
    "far apart": _drawn(-(2**62), 0, 2**62),
    "as far as can be": _drawn(np.iinfo(np.int64).min, 0, np.iinfo(np.int64).max),
    "rising": lambda _: np.arange(ROWS),
    "rising, some equal": lambda _: np.arange(ROWS) // 9,
    "all equal": lambda _: np.zeros(ROWS, np.int64),
}


def _expected(ids: list[str], times: Index) -> list[list[int]]:
    """The rows of each user, by time and then place."""
    users: dict[str, list[int]] = {}
    for row, name in enumerate(ids):
        users.setdefault(name, []).append(row)
    return sorted(sorted(rows, key=lambda row: (times[row], row)) for rows in users.values())


@pytest.mark.parametrize("column", [pl.Series, _Colliding])
@pytest.mark.parametrize("together", [False, True], ids=["apart", "together"])
@pytest.mark.parametrize("kind", TIMES)
def test_rows_of_a_user_stand_together_by_time(kind: str, together: bool, column: type[pl.Series]) -> None:
    rng = np.random.default_rng(0)
    drawn = rng.integers(60, size=ROWS)
    ids = [f"user {number}" for number in (np.sort(drawn) if together else drawn)]
    times = TIMES[kind](rng)
    rows, users, tied = group_by_user(column(ids), times)
    found = [rows[users == user].tolist() for user in range(users.max() + 1)]
    assert sorted(found) == _expected(ids, times)
    np.testing.assert_array_equal(users, np.sort(users))
    same = (np.diff(users) == 0) & (times[rows][1:] == times[rows][:-1])
    np.testing.assert_array_equal(tied, np.append(False, same))
    assert users.dtype == np.uint32


@pytest.mark.parametrize("ids", [["a"], ["a", "a"], ["b", "a"], ["a", "b", "a"]])
def test_few_rows(ids: list[str]) -> None:
    times = np.arange(len(ids))
    rows, users, tied = group_by_user(pl.Series(ids), times)
    assert sorted(rows[users == user].tolist() for user in range(users.max() + 1)) == _expected(ids, times)
    assert not tied.any()


def test_of_equal_rows_the_first_is_kept() -> None:
    rng = np.random.default_rng(0)
    users, items = (rng.integers(5, size=300).astype(np.uint32) for _ in range(2))
    times = rng.integers(4, size=300)
    order, _, tied = group_by_user(pl.Series(users).cast(pl.String), times)
    kept = order[first_of_equals(tied, items[order])]
    rows = np.stack([users, items, times], axis=1)
    _, first = np.unique(rows, axis=0, return_index=True)
    np.testing.assert_array_equal(np.sort(kept), np.sort(first))
