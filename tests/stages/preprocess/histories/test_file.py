"""``sequences.parquet`` and ``histories.parquet`` from arrays."""

from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from stages.artifacts.histories import HISTORIES_SCHEMA
from stages.artifacts.lineage import Lineage, read_lineage
from stages.artifacts.sequences import SEQUENCES_SCHEMA
from stages.artifacts.tables import read_table
from stages.preprocess.histories import file
from stages.preprocess.histories.interactions import Interactions
from stages.preprocess.histories.split import Split
from stages.preprocess.histories.whole import WholeHistories

LINEAGE = Lineage("preprocess", {"k_core": 0}, {})
USERS = {"a": ([3, 1, 2], [10, 20, 30]), "b": ([2], [None]), "c": ([1, 3], [5, None]), "d": ([2, 2], [7, 8])}

ITEMS = np.array([item for items, _ in USERS.values() for item in items], np.int32)
TIMES = pl.Series("time", [time for _, times in USERS.values() for time in times], pl.Int64)
OFFSETS = np.cumsum([0, *(len(items) for items, _ in USERS.values())])
IDS = pl.Series("user", list(USERS), pl.String)
NOBODY = np.zeros(0, np.int64)


def interactions(ids: pl.Series, items: np.ndarray, times: pl.Series) -> Interactions:
    return Interactions(NOBODY, items, times, None, ids, pl.Series(["x", "y", "z"]), {}, 0)


@pytest.fixture(params=[65_536, 3, 1])
def group(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(file, "ROW_GROUP", request.param)
    return int(request.param)


def expected() -> list[dict[str, object]]:
    """Times are null where one of them is unknown."""
    return [
        {"user_id": user, "items": items, "timestamps": None if None in times else times}
        for user, (items, times) in USERS.items()
    ]


def test_histories_come_back(tmp_path: Path, group: int) -> None:
    path = tmp_path / "histories.parquet"
    file.write_histories(path, WholeHistories(IDS, OFFSETS, ITEMS, TIMES, 0), LINEAGE)
    table = read_table(path)
    assert table.schema.remove_metadata() == HISTORIES_SCHEMA
    assert table.to_pylist() == expected()
    assert read_lineage(path).options == {"k_core": 0}
    assert pq.ParquetFile(path).num_row_groups == -(-4 // group)


@pytest.mark.usefixtures("group")
def test_sequences_come_back_with_the_ends_of_their_parts(tmp_path: Path) -> None:
    path, split = tmp_path / "sequences.parquet", Split(OFFSETS, np.array([1, 1, 2, 0]), np.array([2, 1, 2, 1]))
    file.write_sequences(path, interactions(IDS, ITEMS, TIMES), split, LINEAGE)
    table = read_table(path)
    assert table.schema.remove_metadata() == SEQUENCES_SCHEMA
    ends = [{"train_end": 1, "valid_end": 2}, {"train_end": 1, "valid_end": 1}]
    ends += [{"train_end": 2, "valid_end": 2}, {"train_end": 0, "valid_end": 1}]
    assert table.to_pylist() == [row | end for row, end in zip(expected(), ends, strict=True)]


def test_no_users_are_an_empty_table(tmp_path: Path) -> None:
    nothing = (IDS.head(0), np.zeros(1, np.int64), ITEMS[:0], TIMES.head(0))
    file.write_histories(tmp_path / "histories.parquet", WholeHistories(*nothing, 4), LINEAGE)
    ids, offsets, items, times = nothing
    file.write_sequences(
        tmp_path / "sequences.parquet", interactions(ids, items, times), Split(offsets, NOBODY, NOBODY), LINEAGE
    )
    for name, schema in (("histories", HISTORIES_SCHEMA), ("sequences", SEQUENCES_SCHEMA)):
        table = read_table(tmp_path / f"{name}.parquet")
        assert (table.num_rows, table.schema.remove_metadata()) == (0, schema)
