import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.artifacts.lineage import Lineage, read_lineage
from stages.artifacts.lists import LISTS_SCHEMA
from stages.artifacts.ranks import RANKS_SCHEMA
from stages.artifacts.sequences import Sequences
from stages.evaluate.files import write_ranks, write_user_lists
from stages.model.ranking import Ranking, queries

LINEAGE = Lineage("evaluate", {"split": "test"}, {})
COUNTS = np.array([4, 3, 2, 1])


@pytest.fixture
def sequences():
    """Three users; the second has nothing to be found, the third two items."""
    items = np.array([1, 2, 3, 1, 2, 2, 4, 1], np.int32)
    ends = np.array([2, 2, 1])
    return Sequences(items, np.array([0, 3, 5, 8]), ends, ends, pa.chunked_array([["a", "b"], ["c"]]))


@pytest.fixture
def ranking():
    """Of the targets 3, 4 and 1."""
    lists = np.array([[4, 3], [3, 0], [2, 0]], np.int32)
    columns = [np.array(column) for column in ([2, 4, 1], [1, 3, 1], [1, 0, 0], [0, 0, 0])]
    return Ranking(*columns, lists, lists.astype(np.float32) / 8)


@pytest.mark.parametrize("exclude_seen", [False, True])
def test_a_row_per_target(tmp_path, sequences, ranking, exclude_seen):
    path = tmp_path / "ranks.parquet"
    write_ranks(path, sequences, queries(sequences, "test", 1), ranking, COUNTS, LINEAGE, exclude_seen=exclude_seen)
    table = pq.read_table(path)
    assert table.schema.equals(RANKS_SCHEMA)
    found = table.to_pydict()
    names = ("rank", "ties", "other_rank", "other_ties")
    if exclude_seen:
        names = (*names[2:], *names[:2])
    expected = {"user_id": ["a", "c", "c"], "target": [3, 4, 1], "history_length": [2, 1, 1], "target_count": [2, 1, 4]}
    expected |= dict(zip(names, ([2, 4, 1], [1, 0, 0], [1, 3, 1], [0, 0, 0]), strict=True))
    assert found == expected
    assert read_lineage(path).options == {"split": "test"}


def test_a_list_per_user(tmp_path, sequences, ranking):
    path, ids = tmp_path / "backtest.parquet", pa.chunked_array([["i1", "i2", "i3", "i4"]])
    write_user_lists(path, sequences, queries(sequences, "test", 9), ranking, ids, LINEAGE)
    table = pq.read_table(path)
    assert table.schema.equals(LISTS_SCHEMA)
    assert table.to_pydict() == {
        "user_id": ["a", "c"],
        "item_ids": [["i4", "i3"], ["i3"]],
        "scores": [[0.5, 0.375], [0.375]],
    }


def test_no_lists_where_none_were_asked_for(tmp_path, sequences, ranking):
    path, ids = tmp_path / "backtest.parquet", pa.chunked_array([["i1", "i2", "i3", "i4"]])
    none = Ranking(*list(vars(ranking).values())[:4], ranking.items[:, :0], ranking.scores[:, :0])
    write_user_lists(path, sequences, queries(sequences, "test", 9), none, ids, LINEAGE)
    table = pq.read_table(path)
    assert table.schema.equals(LISTS_SCHEMA)
    assert table.num_rows == 0
