from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from stages.artifacts import lists as module
from stages.artifacts.lineage import Lineage, read_lineage
from stages.artifacts.lists import LISTS_SCHEMA, list_columns, recommendations_schema, write_lists
from stages.artifacts.tables import read_table

IDS = pa.chunked_array([["a"], ["b", "c"]])
TITLES = pa.chunked_array([["saw", "axe", "rake"]])
LISTS = np.array([[3, 1], [2, 0], [0, 0], [1, 2]], np.int32)
SCORES = np.array([[0.75, 0.5], [0.25, -np.inf], [-np.inf, -np.inf], [1.0, 0.0]], np.float32)


def plain(lists: npt.NDArray[np.int32], texts: list[str]) -> list[list[str]]:
    """The texts of each list."""
    return [[texts[item - 1] for item in row if item] for row in lists.tolist()]


def test_numbers_become_ids_and_views_and_padding_goes() -> None:
    ids, scores, titles = list_columns(LISTS, SCORES, {"item_ids": IDS, "title": TITLES})
    assert ids.to_pylist() == plain(LISTS, IDS.to_pylist()) == [["c", "a"], ["b"], [], ["a", "b"]]
    assert titles.to_pylist() == plain(LISTS, TITLES.to_pylist())
    assert scores.to_pylist() == [[0.75, 0.5], [0.25], [], [1.0, 0.0]]
    assert scores.type == pa.list_(pa.float32())


def test_no_user_and_no_list() -> None:
    none = np.zeros((0, 3), np.int32)
    assert [len(column) for column in list_columns(none, none.astype(np.float32), {"item_ids": IDS})] == [0, 0]
    zero = np.zeros((2, 3), np.int32)
    columns = list_columns(zero, zero.astype(np.float32), {"item_ids": IDS})
    assert [column.to_pylist() for column in columns] == [[[], []]] * 2


@pytest.mark.parametrize("rows", [1, 3, 65_536])
def test_written_a_part_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    monkeypatch.setattr(module, "_ROWS", rows)
    path, lineage = tmp_path / "backtest.parquet", Lineage("evaluate", {"k": 2}, {})
    users = pa.chunked_array([["u", "v"], ["w", "x"]], pa.large_string())
    write_lists(path, users, LISTS, SCORES, IDS, lineage)
    table = read_table(path)
    assert table.schema.remove_metadata() == LISTS_SCHEMA
    assert table["user_id"].to_pylist() == ["u", "v", "w", "x"]
    assert table["item_ids"].to_pylist() == plain(LISTS, IDS.to_pylist())
    assert table["scores"].to_pylist() == [[0.75, 0.5], [0.25], [], [1.0, 0.0]]
    assert read_lineage(path) == lineage


def test_a_table_of_no_user_is_a_table(tmp_path: Path) -> None:
    none = np.zeros((0, 2), np.int32)
    users = pa.chunked_array([], pa.string())
    write_lists(tmp_path / "a.parquet", users, none, none.astype(np.float32), IDS, Lineage("evaluate", {}, {}))
    table = read_table(tmp_path / "a.parquet")
    assert (table.num_rows, table.schema.names) == (0, LISTS_SCHEMA.names)


def test_views_stand_last() -> None:
    assert recommendations_schema().names == [*LISTS_SCHEMA.names, "fallback"]
    schema = recommendations_schema(["title", "brand"])
    assert schema.names == [*LISTS_SCHEMA.names, "fallback", "title", "brand"]
    assert schema.field("brand").type == pa.list_(pa.string())
    assert not any(field.nullable for field in schema)
