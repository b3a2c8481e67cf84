import pyarrow as pa
import pytest

import stages.recommend.neighbours as module
from stages.artifacts.errors import UsageError
from stages.artifacts.tables import read_table
from stages.recommend import SimilarOptions
from stages.recommend.neighbours import similar


def find(workdir, **options):
    """All tables together."""
    return pa.concat_tables(similar(SimilarOptions(device="cpu", **options), workdir=workdir))


def test_lists_are_those_of_the_recommender(trained_once, recommender):
    ids = ("item-007", "item-000")
    for by in ("model", "text"):
        found = find(trained_once, item_ids=ids, top=3, by=by)
        assert found["item_id"].to_pylist() == list(ids)
        expected = recommender.similar(list(ids), 3, by=by)
        assert found["item_ids"].to_pylist() == [row.item_ids for row in expected]
        assert found["scores"].to_pylist() == [row.scores for row in expected]


def test_the_title_is_shown_unless_others_are_asked_for(trained_once):
    plain = find(trained_once, item_ids=("item-007",), top=2)
    assert plain.column_names == ["item_id", "item_ids", "scores", "title"]
    numbers = [int(item.removeprefix("item-")) for item in plain["item_ids"][0].as_py()]
    assert plain["title"][0].as_py() == [f"title {number % 6}" for number in numbers]
    asked = find(trained_once, item_ids=("item-007",), top=2, with_views=("brand",))
    assert asked.column_names == ["item_id", "item_ids", "scores", "brand"]


def test_all_items_some_at_a_time(trained_once, monkeypatch):
    whole = find(trained_once, all=True, top=2, by="text")
    assert whole["item_id"].to_pylist() == [f"item-{number:03}" for number in range(60)]
    monkeypatch.setattr(module, "_CHUNK", 25)
    tables = list(similar(SimilarOptions(all=True, top=2, by="text", device="cpu"), workdir=trained_once))
    assert [len(table) for table in tables] == [25, 25, 10]
    assert pa.concat_tables(tables)["item_ids"].to_pylist() == whole["item_ids"].to_pylist()


def test_a_file_takes_the_lists(trained_once, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_CHUNK", 25)
    path = tmp_path / "similar.parquet"
    options = SimilarOptions(all=True, top=2, by="text", output=path, device="cpu")
    assert list(similar(options, workdir=trained_once)) == []
    assert (
        read_table(path)["item_ids"].to_pylist()
        == find(trained_once, all=True, top=2, by="text")["item_ids"].to_pylist()
    )


def test_an_unknown_item_leaves_no_file(trained_once, tmp_path):
    path = tmp_path / "similar.parquet"
    with pytest.raises(UsageError, match=r"there is no item 'gone' in .*items\.parquet"):
        find(trained_once, item_ids=("item-001", "gone"), output=path)
    assert not path.exists()
