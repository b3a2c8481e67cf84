from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stages.artifacts.errors import DataError
from stages.artifacts.lineage import Lineage
from stages.artifacts.sequences import SEQUENCES_SCHEMA, read_sequences
from stages.artifacts.tables import write_table

Row = tuple[str, list[int], int, int]


def table(rows: list[Row]) -> pa.Table:
    users, items, train, valid = zip(*rows, strict=True) if rows else ((), (), (), ())
    columns = [pa.array(users, pa.string()), pa.array(items, pa.list_(pa.int32()))]
    columns += [pa.nulls(len(rows), pa.list_(pa.int64())), pa.array(train, pa.int32()), pa.array(valid, pa.int32())]
    return pa.table(columns, schema=SEQUENCES_SCHEMA)


def save(path: Path, rows: list[Row]) -> Path:
    write_table(path, table(rows), Lineage("preprocess", {}, {}), row_group_rows=2)
    return path


ROWS = [("a", [1, 2, 3], 1, 2), ("b", [], 0, 0), ("c", [3, 3, 1, 2], 2, 4), ("d", [2], 1, 1)]


def test_flat_arrays(tmp_path: Path) -> None:
    sequences = read_sequences(save(tmp_path / "s", ROWS), items=3, user_ids=True)
    assert sequences.users == 4
    assert sequences.items.tolist() == [1, 2, 3, 3, 3, 1, 2, 2] and sequences.items.dtype == np.int32
    assert sequences.offsets.tolist() == [0, 3, 3, 7, 8]
    assert sequences.train_end.tolist() == [1, 0, 2, 1]
    assert sequences.valid_end.tolist() == [2, 0, 4, 1]
    assert sequences.user_ids is not None and sequences.user_ids.to_pylist() == list("abcd")
    assert read_sequences(tmp_path / "s").user_ids is None


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.integers(1, 9), max_size=5), max_size=7))
def test_any_lengths(tmp_path: Path, histories: list[list[int]]) -> None:
    rows = [(str(u), items, len(items) // 2, len(items)) for u, items in enumerate(histories)]
    sequences = read_sequences(save(tmp_path / "s", rows), items=9)
    read = [sequences.items[a:b].tolist() for a, b in zip(sequences.offsets, sequences.offsets[1:], strict=False)]
    assert read == histories


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("x", [1, 4], 1, 2), r"column 'items', row 3: item 4 is not within 1\.\.3"),
        (("x", [0], 1, 1), r"column 'items', row 3: item 0"),
        (("x", [1, 2], 2, 1), r"column 'train_end', row 3: not within 0\.\.valid_end"),
        (("x", [1, 2], -1, 1), r"column 'train_end', row 3"),
        (("x", [1, 2], 1, 3), r"column 'valid_end', row 3: beyond the user's items"),
    ],
)
def test_values_that_break_the_contract(tmp_path: Path, row: Row, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_sequences(save(tmp_path / "s", [*ROWS[:2], row, ROWS[3]]), items=3)


def plain(**changes: Any) -> pa.Table:
    """As another tool might write it: wider types, everything nullable."""
    columns: dict[str, Any] = {
        "user_id": ["a", "b"],
        "items": pa.array([[1, 2], [3]], pa.large_list(pa.int64())),
        "timestamps": pa.array([[1, 2], None], pa.list_(pa.int64())),
        "train_end": pa.array([1, 1], pa.int64()),
        "valid_end": pa.array([2, 1], pa.int64()),
    }
    return pa.table({name: value for name, value in {**columns, **changes}.items() if value is not None})


def test_wider_types_are_accepted(tmp_path: Path) -> None:
    pq.write_table(plain(), tmp_path / "s")
    sequences = read_sequences(tmp_path / "s", items=3, user_ids=True)
    assert sequences.items.tolist() == [1, 2, 3] and sequences.items.dtype == np.int32


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"items": None}, "column 'items' is missing"),
        ({"user_id": None}, "column 'user_id' is missing"),
        ({"train_end": pa.array([1, None])}, "column 'train_end' has nulls"),
        ({"items": pa.array([[1], None])}, "column 'items' has nulls"),
        ({"items": pa.array([[1, None], [2]])}, "column 'items' has null items"),
        ({"items": ["1 2", "3"]}, "column 'items' has type string, not list<int32>"),
        ({"valid_end": [1.0, 1.0]}, "column 'valid_end' has type double"),
    ],
)
def test_columns_that_break_the_contract(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    pq.write_table(plain(**changes), tmp_path / "s")
    with pytest.raises(DataError, match=message):
        read_sequences(tmp_path / "s")
