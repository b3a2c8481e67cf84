import numpy as np
import polars as pl
import pyarrow as pa

from stages.preprocess.cluster.blocks import packed
from stages.preprocess.cluster.finish import finish, merge
from stages.preprocess.cluster.partition import Rest, Rows
from stages.preprocess.columns import USER


def test_histories_by_ranges_of_users() -> None:
    rows = Rows(np.array([0, 0, 0, 1, 2, 2], np.uint32), np.array([2, 0, 1, 1, 3, 0], np.uint32))
    names = packed(pl.DataFrame({USER: ["m", "z", "b"]}))
    rest = Rest(np.array([1, 2, 3, 4, 5, 6]), np.array([False, False, False, True, False, False]), None, names)
    kept = np.array([True, True, True, False, False, True])
    numbers = np.array([1, 2, 3, 0], np.int32)
    (counts, facts), *tables = finish(rows, rest, rows, rest, kept, numbers, 3, ["c", "n"])
    sequences, wholes = tables[:3], tables[3:]
    assert [table["user_id"].to_pylist() for table in sequences] == [["b"], ["m"], []]
    assert sequences[1]["items"].to_pylist() == [[3, 1, 2]]
    assert (sequences[1]["train_end"].to_pylist(), sequences[1]["valid_end"].to_pylist()) == ([1], [2])
    assert [table["user_id"].to_pylist() for table in wholes] == [["b"], ["m"], ["z"]]
    assert [table["items"].to_pylist() for table in wholes] == [[[1]], [[3, 1, 2]], [[2]]]
    assert [table["timestamps"].to_pylist() for table in wholes] == [[[6]], [[1, 2, 3]], [None]]
    assert (counts.users, counts.interactions) == (2, 4)
    assert facts == {"users": 3, "interactions": 5, "interactions_with_other_items": 1}


def test_partitions_are_merged_in_byte_order() -> None:
    tables = [pa.table({"user_id": ids, "items": [[len(name)] for name in ids]}) for ids in (["a", "é"], ["Z", "b"])]
    tables.append(tables[0].slice(0, 0))
    assert merge(*tables)["user_id"].to_pylist() == ["Z", "a", "b", "é"]
