from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.artifacts.errors import DataError
from stages.artifacts.items import check_item_numbers, count_items, item_views, items_schema, read_item_ids
from stages.artifacts.tables import open_table


def save(path: Path, **columns: object) -> Path:
    pq.write_table(pa.table(columns), path, row_group_size=2)
    return path


def numbers(*values: int | None) -> pa.Array:
    return pa.array(values, pa.int32())


def test_schema_of_the_contract() -> None:
    schema = items_schema(["title", "brand"])
    assert [(f.name, str(f.type), f.nullable) for f in schema] == [
        ("item", "int32", False),
        ("item_id", "string", False),
        ("title", "string", True),
        ("brand", "string", True),
    ]


def test_views_are_all_other_columns_in_order(tmp_path: Path) -> None:
    path = save(tmp_path / "items.parquet", item_id=["a"], b=["x"], item=numbers(1), a=["y"])
    assert item_views(path) == ["b", "a"]
    assert count_items(path) == 1


def test_view_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "items.parquet", item=numbers(1), item_id=["a"], price=[1.5])
    with pytest.raises(DataError, match="column 'price' has type double, not string"):
        item_views(path)


def test_numbers_in_row_order(tmp_path: Path) -> None:
    with open_table(save(tmp_path / "a", item=numbers(1, 2, 3, 4, 5))) as file:
        assert check_item_numbers(file, tmp_path / "a") == 5
    with open_table(save(tmp_path / "b", item=pa.array([1, 2], pa.int64()))) as file:
        assert check_item_numbers(file, tmp_path / "b") == 2


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((0, 1, 2), "row 1 holds item 0"),
        ((1, 2, 4, 3), "row 3 holds item 4"),
        ((1, 1, 2), "row 2 holds item 1"),
        ((1, 2, 3, None), "has nulls"),
    ],
)
def test_numbers_with_gaps_repetitions_or_nulls(tmp_path: Path, values: tuple[int | None, ...], message: str) -> None:
    path = save(tmp_path / "a", item=numbers(*values))
    with pytest.raises(DataError, match=message), open_table(path) as file:
        check_item_numbers(file, path)


def test_ids_in_the_order_of_the_numbers(tmp_path: Path) -> None:
    path = save(tmp_path / "i.parquet", item=numbers(1, 2, 3), item_id=["c", "a", "b"])
    assert read_item_ids(path).to_pylist() == ["c", "a", "b"]
    save(path, item=numbers(1, 2, 3), item_id=["c", "a", None])
    with pytest.raises(DataError, match=r"i.parquet: column 'item_id', row 3 is null"):
        read_item_ids(path)
    save(path, item=numbers(2, 1), item_id=["c", "a"])
    with pytest.raises(DataError, match="row 1 holds item 2"):
        read_item_ids(path)
