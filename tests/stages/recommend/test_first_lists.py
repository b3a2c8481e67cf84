import pyarrow as pa
import pytest

from stages.artifacts.errors import DataError
from stages.artifacts.lineage import Lineage
from stages.artifacts.lists import recommendations_schema
from stages.artifacts.tables import write_table
from stages.recommend.first_lists import preview


@pytest.fixture
def path(tmp_path):
    """Lists of four users, from four items down to one."""
    ids = [["a", "b", "c", "d"][: 4 - user] for user in range(4)]
    scores = [[4.0, 3.0, 2.0, 1.0][: 4 - user] for user in range(4)]
    titles = [[item.upper() for item in row] for row in ids]
    columns = [["u0", "u1", "u2", "u3"], ids, scores, [False] * 4, titles]
    schema = recommendations_schema(["title"])
    table = pa.table([pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema)
    write_table(tmp_path / "lists.parquet", table, Lineage("recommend", {}, {}))
    return tmp_path / "lists.parquet"


def test_three_of_three_by_default(path):
    found = preview(path)
    assert [(row["user"], row["item"], row["score"]) for row in found] == [
        ("u0", "a", 4.0),
        ("u0", "b", 3.0),
        ("u0", "c", 2.0),
        ("u1", "a", 4.0),
        ("u1", "b", 3.0),
        ("u1", "c", 2.0),
        ("u2", "a", 4.0),
        ("u2", "b", 3.0),
    ]
    assert list(found[0]) == ["user", "item", "score"]


def test_views_stand_between_item_and_score(path):
    (row,) = preview(path, ["title"], lists=1, entries=1)
    assert list(row.items()) == [("user", "u0"), ("item", "a"), ("title", "A"), ("score", 4.0)]


def test_a_file_without_users(path):
    write_table(path, pa.table([[], [], [], []], schema=recommendations_schema()), Lineage("recommend", {}, {}))
    assert preview(path) == []


def test_a_damaged_file_is_named(path):
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match=r"lists\.parquet"):
        preview(path)
