import shutil

import numpy as np
import pyarrow as pa
import pytest

import stages.recommend.tables as module
from stages.artifacts.histories import read_histories
from stages.artifacts.names import HISTORIES
from stages.frame.cluster import Cluster
from stages.frame.run import StageRun
from stages.recommend import RecommendOptions
from stages.recommend.chunks import ChunkStore
from stages.recommend.tables import list_tables
from stages.recommend.whom import Served


@pytest.fixture
def served(trained_once):
    """The first 25 users of the log."""
    found = read_histories(trained_once / HISTORIES)
    return Served(found.user_ids.slice(0, 25), found.items, found.offsets[:26], {})


@pytest.fixture
def make(recommender, served, tmp_path, monkeypatch, said):
    """Starts on the tables, ten users at a time."""
    monkeypatch.setattr(module, "CHUNK_USERS", 10)

    def make(allowed=None, **options):
        chosen = RecommendOptions(top=4, **options)
        run = StageRun("recommend", chosen, tmp_path, said)
        return list_tables(chosen, run, recommender, served, allowed, ChunkStore(run, {}))

    return make


def test_chunks_together_are_the_lists_of_all(make, recommender, served):
    tables = list(make(with_views=("title",)))
    assert [len(table) for table in tables] == [10, 10, 5]
    whole = recommender.lists(served.items[: served.offsets[-1]], served.offsets, top=4)
    expected = recommender.items.table(served.user_ids, whole, ["title"])
    found = pa.concat_tables(tables)
    for name in ("user_id", "item_ids", "fallback", "title"):
        assert found[name].to_pylist() == expected[name].to_pylist()
    np.testing.assert_allclose(np.concatenate(found["scores"].to_pylist()), whole.scores.ravel(), rtol=1e-5)


def test_what_is_there_is_not_made_again(make, said, tmp_path):
    tables = make()
    first = [next(tables), next(tables)]
    tables.close()
    assert not said.infos
    kept = sorted(tmp_path.rglob("*.parquet"))
    assert len(kept) == 2
    times = [path.stat().st_mtime_ns for path in kept]
    again = list(make())
    assert said.infos == ["continuing an interrupted run: 20 of 25 users were done"]
    assert [path.stat().st_mtime_ns for path in kept] == times
    assert all(table.equals(other) for table, other in zip(first, again[:2], strict=True))
    shutil.rmtree(tmp_path / ".cocorec")
    assert pa.concat_tables(make()).equals(pa.concat_tables(again))


def test_filters_and_seen_items_are_heeded(make, served):
    allowed = np.zeros(61, np.bool_)
    allowed[[2, 3, 5]] = True
    for user, table_row in enumerate(pa.concat_tables(make(allowed, exclude_seen=True)).to_pylist()):
        seen = {f"item-{number - 1:03}" for number in served.part(user, user + 1)[0]}
        assert set(table_row["item_ids"]) == {"item-001", "item-002", "item-004"} - seen


def test_actors_make_the_same_lists(make, trained_once, recommender, served, tmp_path, said, ray_cluster):
    local = list(make(with_views=("title",)))
    shutil.rmtree(tmp_path / ".cocorec")
    chosen = RecommendOptions(top=4, with_views=("title",), device="cpu", threads=2)  # one actor
    run = StageRun("recommend", chosen, trained_once, said)
    store = ChunkStore(StageRun("recommend", chosen, tmp_path, said), {})
    shared = list(list_tables(chosen, run, recommender, served, None, store, Cluster(ray_cluster)))
    assert [len(table) for table in shared] == [10, 10, 5]
    for table, other in zip(local, shared, strict=True):
        for name in ("user_id", "item_ids", "fallback", "title"):
            assert table[name].to_pylist() == other[name].to_pylist()
        scores = [made["scores"].combine_chunks().flatten() for made in (table, other)]
        np.testing.assert_allclose(*scores, rtol=1e-5)
    assert len(list(tmp_path.rglob("*.parquet"))) == 3
