import numpy as np
import polars as pl
import pyarrow as pa

from stages.preprocess.cluster.blocks import packed
from stages.preprocess.cluster.partition import Rows, group, judge, merged_dropped
from stages.preprocess.columns import ITEM, TIME, USER
from stages.preprocess.histories.k_core import k_core
from stages.preprocess.logs.clock import Clock
from stages.preprocess.options import PreprocessOptions

CATALOGUE = pa.array(["A", "B", "C"], pa.large_string())


def log(rows: list[tuple[str, str, int]]) -> bytes:
    return packed(pl.DataFrame(rows, schema={USER: pl.String, ITEM: pl.String, TIME: pl.Int64}, orient="row"))


def options(**given: object) -> PreprocessOptions:
    return PreprocessOptions(inputs=("log.csv",), engine="ray", **given)  # type: ignore[arg-type]


def test_rounds_over_partitions_are_those_of_the_whole() -> None:
    rng = np.random.default_rng(0)
    users, items = rng.integers(300, size=2_000).astype(np.uint32), rng.zipf(1.3, 2_000).astype(np.uint32) % 200
    order = np.argsort(users, kind="stable")
    users, items = users[order], items[order]
    expected, rounds = k_core(users, items, 4)
    parts = [Rows(users[mine] - users[mine].min(), items[mine]) for mine in (users < 100, users >= 100)]
    counts, masks, found = np.bincount(items, minlength=200), [None, None], 0
    while True:
        enough = counts >= 4
        judged = [judge(part, mask, enough, 4) for part, mask in zip(parts, masks, strict=True)]
        if not any(gone for _, gone, _ in judged):
            break
        for _, _, (places, less) in judged:
            counts[places] -= less
        masks, found = [mask for mask, _, _ in judged], found + 1
    assert rounds > 1
    assert found == rounds
    assert np.concatenate([mask for mask in masks if mask is not None]).tolist() == expected.tolist()


def test_an_empty_partition_stays_empty() -> None:
    rows, rest, *same, _, known = group(options(), log([]), False, True, Clock("s", 0), CATALOGUE)
    assert (len(rows.users), rest.names().to_list(), same, known.rows) == (0, [], [None, None], 0)
    assert judge(rows, None, np.ones(3, np.bool_), 5)[1] == 0


def test_rows_by_user_with_items_by_their_place_in_the_catalogue() -> None:
    content = log([("u", "C", 9), ("v", "B", 3), ("u", "A", 4), ("u", "A", 4)])
    rows, rest, _, _, counts, known = group(options(), content, False, True, Clock(None, 0), CATALOGUE)
    by_user = dict(zip(rest.names(), (rows.items[rows.users == n].tolist() for n in range(2)), strict=True))
    assert by_user == {"u": [0, 2], "v": [1]}
    assert known.dropped == {"repeated rows (user, item and time)": 1}
    assert (known.rows, known.users, sorted(known.sampled)) == (3, 2, ["u", "v"])
    assert [part.tolist() for part in counts] == [[0, 1, 2], [1, 1, 1]]


def test_what_is_learnt_from_is_apart_where_it_is_less() -> None:
    content = log([("u", "C", 1), ("u", "A", 5), ("u", "A", 6), ("u", "B", 9)])
    given = options(since=4, until=9, repeats="first")
    whole, _, rows, rest, _, known = group(given, content, False, True, Clock(None, 0), CATALOGUE)
    assert whole.items.tolist() == [2, 0, 0]
    assert rows is not None
    assert rest is not None
    assert (rows.items.tolist(), rest.times.tolist()) == ([0], [5])
    assert known.dropped["further interactions of a user with an item"] == 1


def test_counts_by_reason_add_up() -> None:
    assert merged_dropped([{"a": 1}, {"b": 2, "a": 3}]) == {"a": 4, "b": 2}
