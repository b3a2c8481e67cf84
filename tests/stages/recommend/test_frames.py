from itertools import pairwise

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from stages.artifacts.errors import DataError, UsageError
from stages.recommend.frames import read_frame


def histories_of(given):
    """The lists of ids that were read."""
    ids, ends = given.item_ids.to_pylist(), given.offsets.tolist()
    parts = [given.items[low:high] for low, high in pairwise(ends)]
    return [[ids[item - 1] for item in part] for part in parts]


@pytest.mark.parametrize(
    "histories",
    [[["b", "a", "b"], [], ["c"]], [], [[], []], (("a",), ["b"])],
)
def test_lists_come_out_as_they_are(histories):
    given = read_frame(histories)
    assert histories_of(given) == [list(history) for history in histories]
    assert given.user_ids is None
    assert (given.items.dtype, given.offsets.dtype) == (np.int64, np.int64)
    assert len(set(given.item_ids.to_pylist())) == len(given.item_ids)


def test_whole_numbers_are_ids():
    assert histories_of(read_frame([np.array([7, 3]), [7]])) == [["7", "3"], ["7"]]


@pytest.mark.parametrize("make", [pl.DataFrame, pa.table, pd.DataFrame, pl.LazyFrame])
def test_a_row_per_user_in_a_frame_of_each_library(make):
    given = read_frame(make({"user_id": ["v", "u"], "item_ids": [["b", "a"], ["b"]]}))
    assert histories_of(given) == [["b", "a"], ["b"]]
    assert given.user_ids.to_pylist() == ["v", "u"]
    back = given.give_back(pa.table({"user_id": ["v"]}))
    assert isinstance(back, pl.DataFrame if make is pl.LazyFrame else type(make({"user_id": ["v"]})))


def test_users_without_items():
    given = read_frame(pl.DataFrame({"user_id": ["u", "v", "w"], "item_ids": [None, [], ["a"]]}))
    assert histories_of(given) == [[], [], ["a"]]
    assert (
        histories_of(read_frame(pl.DataFrame({"user_id": [], "item_ids": pl.Series([], dtype=pl.List(pl.Utf8))}))) == []
    )


def test_a_log_is_a_stable_sort_by_time():
    rng = np.random.default_rng(0)
    rows = [(f"u{rng.integers(4)}", f"i{rng.integers(9)}", int(rng.integers(5))) for _ in range(60)]
    users = list(dict.fromkeys(user for user, _, _ in rows))
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    given = read_frame(frame)
    assert given.user_ids.to_pylist() == users
    by_time = sorted(rows, key=lambda row: row[2])
    assert histories_of(given) == [[item for of, item, _ in by_time if of == user] for user in users]
    by_row = read_frame(frame.drop("timestamp"))
    assert histories_of(by_row) == [[item for of, item, _ in rows if of == user] for user in users]


@pytest.mark.parametrize(
    ("histories", "error", "said"),
    [
        ("item-001", UsageError, "neither lists of ids nor a frame"),
        (["item-001"], UsageError, "history 0 is str"),
        ([["item-001", 2.5]], DataError, "no id"),
        ([["item-001", None]], DataError, "row 2 is null"),
        (pl.DataFrame({"user": ["a"]}), UsageError, "no column user_id; there are user"),
        (pl.DataFrame({"user_id": ["a"]}), UsageError, "no column item_ids or item_id"),
        (pl.DataFrame({"user_id": ["a", "a"], "item_ids": [["x"], ["y"]]}), DataError, "occur again"),
        (pl.DataFrame({"user_id": ["a"], "item_ids": [[1.5]]}), DataError, "not ids"),
        (pl.DataFrame({"user_id": ["a"], "item_ids": ["x"]}), DataError, "not lists"),
        (pl.DataFrame({"user_id": ["a"], "item_id": ["x"], "timestamp": [None]}), DataError, "has nulls"),
    ],
)
def test_histories_that_cannot_be_read(histories, error, said):
    with pytest.raises(error, match=said):
        read_frame(histories)
