import numpy as np
import pyarrow as pa
import pytest

from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.items import items_schema
from stages.artifacts.lineage import Lineage
from stages.artifacts.tables import write_table
from stages.recommend.items import Items, Lists, Recommended, id_array


@pytest.fixture
def items(tmp_path, said):
    """Three items with a title each, and with a view that has the name of a column."""
    columns = [pa.array([1, 2, 3], pa.int32()), pa.array(["a", "b", "c"])]
    columns += [pa.array(["saw", "nail", "glue"]), pa.array(["1", "2", "3"])]
    table = pa.table(columns, schema=items_schema(["title", "scores"]))
    write_table(tmp_path / "items.parquet", table, Lineage("preprocess", {}, {}))
    return Items(tmp_path / "items.parquet", said)


@pytest.fixture
def lists():
    """Of a user with two items, one with one, and one with none."""
    numbers = np.array([[3, 1], [2, 0], [0, 0]], np.int32)
    return Lists(numbers, np.array([[2.5, 1], [4, 0], [0, 0]], np.float32), np.array([False, True, False]))


def test_numbers_of_ids_and_a_warning_about_those_unknown(items, said):
    assert len(items) == 3
    assert items.numbers(pa.array(["c", "x", "a"])).tolist() == [3, 0, 1]
    assert items.numbers(pa.array(["c", "b"]), "histories").tolist() == [3, 2]
    assert not said.warnings
    numbers = items.numbers(pa.array(["c", "x", "a", "x"]), "histories")
    assert (numbers.tolist(), numbers.dtype) == ([3, 0, 1, 0], np.int32)
    assert said.warnings == ["histories: 1 of 3 ids are not in the catalogue and left out, such as x"]
    assert items.numbers(pa.array([], pa.string()), "histories").tolist() == []


def test_unknown_ids_are_refused_where_all_must_be_known(items):
    assert items.known_numbers(pa.array(["b", "b", "a"])).tolist() == [2, 2, 1]
    with pytest.raises(UsageError, match=r"there is no item 'x', 'y' in .*items\.parquet"):
        items.known_numbers(pa.array(["x", "b", "y"]))


@pytest.mark.parametrize(
    ("views", "expected"),
    [
        (["brand"], r"--with 'brand' is no text view of .*\nThere are title, scores\."),
        (["title", "title"], "--with 'title' would name a column twice"),
        (["scores"], "--with 'scores' would name a column twice"),
    ],
)
def test_views_that_cannot_be_columns(items, lists, views, expected):
    with pytest.raises(UsageError, match=expected):
        items.check_views(views)
    with pytest.raises(UsageError, match=expected):
        items.table(pa.chunked_array([["u", "v", "w"]]), lists, views)


def test_lists_as_a_table(items, lists):
    names = pa.chunked_array([["u"], ["v", "w"]])
    assert items.table(names, lists, ["title"]).to_pylist() == [
        {"user_id": "u", "item_ids": ["c", "a"], "scores": [2.5, 1], "fallback": False, "title": ["glue", "saw"]},
        {"user_id": "v", "item_ids": ["b"], "scores": [4], "fallback": True, "title": ["nail"]},
        {"user_id": "w", "item_ids": [], "scores": [], "fallback": False, "title": []},
    ]
    similar = items.neighbours_table(names, lists, ["title"])
    assert similar.column_names == ["item_id", "item_ids", "scores", "title"]
    assert similar["item_id"].to_pylist() == ["u", "v", "w"]


def test_lists_as_values(items, lists):
    expected = [(["c", "a"], [2.5, 1.0], False), (["b"], [4.0], True), ([], [], False)]
    assert items.named(lists) == [Recommended(*row) for row in expected]


def test_ids_from_lists_and_series():
    assert id_array(["a", "b"], "exclude").to_pylist() == ["a", "b"]
    assert id_array([7, 8], "exclude").to_pylist() == ["7", "8"]
    assert id_array(pa.chunked_array([["a"], ["b"]]), "exclude").to_pylist() == ["a", "b"]
    assert id_array([], "exclude").type == pa.string()
    for wrong in (["a", None], ["a", 1], [1.5], [["a"]], 7):
        with pytest.raises(DataError, match="exclude: not all are ids"):
            id_array(wrong, "exclude")
