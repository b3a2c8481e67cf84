import json
import re

import polars as pl
import pytest

from stages.artifacts.errors import DataError, UsageError
from stages.frame.reporter import Reporter
from stages.preprocess import read_id_column, read_ids_where, read_named_histories


@pytest.fixture
def read(tmp_path):
    """Histories of a file as ids, by user."""

    def histories(path, usual=None, **columns):
        found = read_named_histories(path, tmp_path, columns=columns, usual=usual or {}, reporter=Reporter())
        ids = ["", *found.item_ids.to_pylist()]
        users, ends = found.histories.user_ids.to_pylist(), found.histories.offsets.tolist()
        items = found.histories.items.tolist()
        return {
            user: [ids[item] for item in items[ends[u] : ends[u + 1]]] for u, user in enumerate(users)
        }, found.dropped

    return histories


def written(path, *lines):
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def test_a_log_in_order_of_time(read, tmp_path):
    rows = ["who,what,when", "b,x,2", "a,y,5", "b,y,1", "b,x,2", "a,,3"]
    path = written(tmp_path / "log.csv", *rows)
    found, dropped = read(path, user_column="who", item_column="what", time_column="when")
    assert found == {"a": ["y"], "b": ["y", "x"]}
    assert {reason: count for reason, count in dropped.items() if count} == {
        "rows without a user or an item": 1,
        "repeated rows (user, item and time)": 1,
    }
    usual = {"user_column": "who", "item_column": "what", "time_column": "when"}
    assert read(path, usual=usual)[0] == found
    plain = written(tmp_path / "plain.csv", "user_id,item_id", "a,x")
    assert read(plain, usual=usual)[0] == {"a": ["x"]}


def test_rows_of_lists(read, tmp_path):
    lines = [
        {"user_id": "b", "item_ids": ["x", "y", "x"]},
        {"user_id": "a", "item_ids": []},
        {"user_id": 7, "item_ids": [1]},
    ]
    json_lines = written(tmp_path / "h.jsonl", *map(json.dumps, lines))
    expected = {"7": ["1"], "a": [], "b": ["x", "y", "x"]}
    assert read(json_lines)[0] == expected
    frame = pl.DataFrame({"user_id": ["b", "a", "7"], "item_ids": [["x", "y", "x"], [], ["1"]]})
    frame.write_parquet(tmp_path / "h.parquet")
    assert read(tmp_path / "h.parquet")[0] == expected
    blanks = written(tmp_path / "h.csv", "user_id,item_ids", "b,x y x", "a,", '7,"[""1""]"', ",x")
    assert read(blanks) == (expected, {"rows without a user": 1})
    nobody = written(tmp_path / "n.csv", "user_id,item_ids", "b,")
    assert read(nobody)[0] == {"b": []}


@pytest.mark.parametrize("value", [None, 1.5, True, ["x"], {"x": 1}, ""])
def test_an_id_that_is_no_text_is_named(read, tmp_path, value):
    lines = [{"user_id": "a", "item_ids": ["x"]}, {"user_id": "b", "item_ids": ["x", value]}]
    path = written(tmp_path / "h.jsonl", *map(json.dumps, lines))
    with pytest.raises(DataError, match=re.escape(f"row 2: {json.dumps(value)} is no id")):
        read(path)


def test_lists_of_other_things(read, tmp_path):
    pl.DataFrame({"user_id": ["a"], "item_ids": [[1.5]]}).write_parquet(tmp_path / "h.parquet")
    with pytest.raises(DataError, match="not lists of ids"):
        read(tmp_path / "h.parquet")
    pl.DataFrame({"user_id": ["a", "b"], "item_ids": [["x"], ["x", None]]}).write_parquet(tmp_path / "h.parquet")
    with pytest.raises(DataError, match="row 2: null is no id"):
        read(tmp_path / "h.parquet")
    empty = written(tmp_path / "empty.csv")
    with pytest.raises(DataError, match="is empty"):
        read(empty)


def test_a_column_of_ids(tmp_path):
    table = written(tmp_path / "stock.csv", "sku,left", "a,3", "b,0", ",1")
    assert read_id_column(table, tmp_path, ["item_id", "sku"], "--item-column").to_pylist() == ["a", "b"]
    alone = written(tmp_path / "ids.csv", "a", "b")
    assert read_id_column(alone, tmp_path, ["item_id"], "--item-column").to_pylist() == ["a", "b"]
    with pytest.raises(DataError, match="no column 'item_id'") as caught:
        read_id_column(table, tmp_path, ["item_id"], "--item-column")
    assert "--item-column" in caught.value.hint


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_condition_on_typed_columns(tmp_path, kind):
    frame = pl.DataFrame(
        {
            "item_id": ["a", "b", "c"],
            "item": [3, 2, 1],
            "price": [9.5, 60.0, None],
            "brand": ["F", "F", "G"],
            "new": [True, False, True],
        }
    )
    path = tmp_path / f"items.{kind}"
    {"csv": frame.write_csv, "jsonl": frame.write_ndjson, "parquet": frame.write_parquet}[kind](path)

    def ids(where):
        return read_ids_where(path, tmp_path, ["item_id"], where).to_pylist()

    assert ids("brand = 'F' AND price < 50") == ["a"]
    assert ids("price > 50 OR item = 1") == ["b", "c"]
    assert ids("new") == ["a", "c"]
    assert ids("price IS NULL") == ["c"]
    with pytest.raises(UsageError, match="does not fit the columns"):
        ids("brand < 3")
    with pytest.raises(UsageError, match="has no column 'Fender'"):
        ids('brand = "Fender"')


@pytest.mark.parametrize("name", ["histories.parquet", "sequences.parquet"])
def test_item_numbers_are_no_ids(read, tmp_path, name):
    pl.DataFrame({"user_id": ["u"], "items": [[1, 2]], "train_end": [2]}).write_parquet(tmp_path / name)
    with pytest.raises(DataError, match=f"{name} holds the item numbers of a work directory.*\nLeave --histories out"):
        read(tmp_path / name)
    pl.DataFrame({"user_id": ["u", "u"], "items": ["a", "b"]}).write_parquet(tmp_path / name)
    assert read(tmp_path / name, item_column="items")[0] == {"u": ["a", "b"]}  # a log whose column has this name


def test_half_characters_are_no_ids(read, tmp_path):
    path = written(tmp_path / "lists.jsonl", json.dumps({"user_id": "u", "item_ids": ["a", "b\ud83d"]}))
    with pytest.raises(DataError, match=r"row 1: .* is no id\nIds are texts of whole characters"):
        read(path)
    lines = [{"user_id": "u", "item_ids": ["a"]}, {"user_id": "\ud83d", "item_ids": ["a"]}]
    found, dropped = read(written(path, *map(json.dumps, lines)))
    assert (found, dropped["rows without a user"]) == ({"u": ["a"]}, 1)
