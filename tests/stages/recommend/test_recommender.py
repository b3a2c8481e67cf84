import shutil

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from growth import grow

from stages.artifacts import names
from stages.artifacts.errors import DataError, UsageError
from stages.model.packing import Packing
from stages.recommend import Recommender
from stages.train import TrainOptions, train

HISTORIES = [["item-000", "item-001", "item-002"], ["item-010"], ["item-020", "nothing", "item-021"]]


def scores_of(recommender, numbers):
    """Of items 1..N after a history on its own."""
    with torch.inference_mode():
        read = recommender.model.scorer()
        items = torch.tensor(numbers)
        return read(items, Packing.of_lengths(torch.tensor([len(items)])))(slice(0, 1))[0, 1:]


def numbers_of(ids):
    return [int(item.removeprefix("item-")) + 1 for item in ids if item != "nothing"]


def full_sort(recommender, history, hidden=()):
    scores = scores_of(recommender, numbers_of(history)[-6:])
    order = (1 + torch.argsort(scores, descending=True, stable=True)).tolist()
    return [f"item-{number - 1:03}" for number in order if number not in hidden]


def test_lists_equal_a_full_sort_of_the_scores(recommender):
    found = recommender.recommend(HISTORIES, top=7)
    for history, given in zip(HISTORIES, found, strict=True):
        assert given.item_ids == full_sort(recommender, history)[:7]
        best = scores_of(recommender, numbers_of(history)).sort(descending=True).values[:7]
        np.testing.assert_allclose(given.scores, best, atol=1e-6)
        assert not given.fallback


def test_seen_items_and_filters_are_masked_before_the_best_are_taken(recommender):
    stock = [f"item-{i:03}" for i in range(30)]
    hidden = {*range(31, 61), 5, 6}
    found = recommender.recommend(HISTORIES, 25, exclude_seen=True, candidates=stock, exclude=["item-004", "item-005"])
    for history, given in zip(HISTORIES, found, strict=True):
        expected = full_sort(recommender, history, hidden | set(numbers_of(history)))
        assert given.item_ids == expected[:25]
    everything = recommender.recommend(HISTORIES[:1], 60, exclude_seen=True)[0]
    assert len(everything.item_ids) == 57  # fewer than asked for, and nothing that was seen
    assert not set(everything.item_ids) & set(HISTORIES[0])


def test_a_history_of_a_million_items_is_read_at_its_end_and_counts_as_seen(recommender):
    long = ["item-003"] + ["item-007"] * 1_000_000 + [f"item-{i:03}" for i in range(20, 26)]
    [found] = recommender.recommend([long], 60, exclude_seen=True)
    assert found.item_ids == full_sort(recommender, long[-6:], {4, 8, *range(21, 27)})


def test_who_has_no_known_item_gets_the_popular_ones(recommender, trained_once):
    taken = np.bincount(
        np.concatenate(pa.parquet.read_table(trained_once / names.HISTORIES)["items"].to_pylist()), minlength=61
    )
    order = sorted(range(1, 61), key=lambda item: (-taken[item], item))
    for history in ([], ["nothing"]):
        [given] = recommender.recommend([history], 5)
        assert given.fallback
        assert numbers_of(given.item_ids) == order[:5]
        assert given.scores == [float(taken[item]) for item in order[:5]]
    [given] = recommender.recommend([[]], 5, candidates=["item-009", "item-011"])
    assert set(given.item_ids) == {"item-009", "item-011"}


def test_popularity_needs_histories(trained):
    (trained / names.HISTORIES).unlink()
    assert Recommender.load(trained, device="cpu").recommend([[]], 3)[0].fallback  # counted in sequences.parquet
    (trained / names.SEQUENCES).unlink()
    loaded = Recommender.load(trained, device="cpu")
    assert loaded.recommend(HISTORIES, 3)[0].item_ids
    with pytest.raises(DataError, match="which items are popular"):
        loaded.recommend([[]], 3)


def test_a_list_does_not_depend_on_the_others(recommender):
    together = recommender.recommend(HISTORIES, 5)
    apart = [recommender.recommend([history], 5)[0] for history in HISTORIES]
    assert [given.item_ids for given in together] == [given.item_ids for given in apart]


def test_unknown_ids_are_counted_and_named(trained, said):
    Recommender.load(trained, device="cpu", reporter=said).recommend([["item-001", "x"], ["y", "x"]], 3)
    assert said.warnings == ["histories: 2 of 3 ids are not in the catalogue and left out, such as x, y"]


@pytest.mark.parametrize("kind", ["polars", "pandas", "pyarrow", "lazy"])
def test_frames_of_each_library_come_back_as_they_came(recommender, kind):
    columns = {"user_id": ["b", "a"], "item_ids": HISTORIES[:2]}
    make = {"polars": pl.DataFrame, "pandas": pd.DataFrame, "pyarrow": pa.table, "lazy": pl.LazyFrame}[kind]
    found = recommender.recommend(make(columns), 4, views=["title"])
    assert isinstance(found, pl.DataFrame if kind in ("polars", "lazy") else type(make(columns)))
    table = found if kind == "pyarrow" else found.to_arrow() if kind != "pandas" else pa.Table.from_pandas(found)
    assert table.column_names == ["user_id", "item_ids", "scores", "fallback", "title"]
    assert table["user_id"].to_pylist() == ["b", "a"]
    plain = recommender.recommend(HISTORIES[:2], 4)
    assert table["item_ids"].to_pylist() == [given.item_ids for given in plain]
    assert table["title"].to_pylist()[0] == [f"title {(number - 1) % 6}" for number in numbers_of(plain[0].item_ids)]


def test_a_log_is_put_in_order_of_time(recommender):
    rows = [("a", "item-002", 3), ("b", "item-010", 1), ("a", "item-000", 1), ("a", "item-001", 2)]
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    found = recommender.recommend(frame, 5)
    assert found["user_id"].to_list() == ["a", "b"]
    assert found["item_ids"].to_list() == [given.item_ids for given in recommender.recommend(HISTORIES[:2], 5)]
    by_row = recommender.recommend(frame.drop("timestamp"), 5)
    assert (
        by_row["item_ids"].to_list()[0] == recommender.recommend([["item-002", "item-000", "item-001"]], 5)[0].item_ids
    )


@pytest.mark.parametrize("top", [0, -1, 61])
def test_lists_longer_than_the_catalogue_are_refused(recommender, top):
    with pytest.raises(UsageError, match="--top must be from 1 to 60"):
        recommender.recommend(HISTORIES, top)


def test_filters_that_leave_nothing(recommender):
    with pytest.raises(DataError, match="leave none of the 60 items"):
        recommender.recommend(HISTORIES, candidates=["item-001"], exclude=["item-001"])
    with pytest.raises(DataError, match="not all are ids"):
        recommender.recommend(HISTORIES, candidates=[1.5])


@pytest.mark.parametrize(("model", "excluded"), [("sasrec", False), ("transitions", True), ("popularity", True)])
def test_the_model_decides_on_seen_items_unless_the_user_does(trained, model, excluded):
    shutil.rmtree(trained / "model")
    train(TrainOptions(model=model, epochs=1, dim=8, ffn_dim=8, layers=1, device="cpu"), workdir=trained)
    loaded = Recommender.load(trained, device="cpu")
    assert [loaded.excludes_seen(wanted) for wanted in (None, True, False)] == [excluded, True, False]
    [found] = loaded.recommend(HISTORIES[:1], 60)
    assert len(found.item_ids) == (57 if excluded else 60)


def test_without_a_repeat_bias_seen_items_are_left_out(trained):
    shutil.rmtree(trained / "model")
    train(
        TrainOptions(model="sasrec", epochs=1, dim=8, ffn_dim=8, layers=1, repeat_bias=False, device="cpu"),
        workdir=trained,
    )
    assert Recommender.load(trained, device="cpu").excludes_seen(None)


def test_similar_items_by_the_model(recommender):
    vectors = torch.nn.functional.normalize(recommender.model.candidate_vectors(), dim=-1)
    for given, number in zip(recommender.similar(["item-004", "item-030"], 5), (5, 31), strict=True):
        cosines = vectors @ vectors[number]
        cosines[[0, number]] = -2
        assert numbers_of(given.item_ids) == cosines.argsort(descending=True)[:5].tolist()
        np.testing.assert_allclose(given.scores, cosines.sort(descending=True).values[:5], atol=1e-6)


def test_similar_items_by_text_weigh_the_views_equally(recommender, trained_once):
    table = pa.parquet.read_table(trained_once / names.EMBEDDINGS)
    views = []
    for view in ("title", "brand"):
        matrix = np.array([row or [0.0] * table[view].type.list_size for row in table[view].to_pylist()])
        views.append(matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-30))
    has = np.stack([np.abs(view).sum(1) > 0 for view in views]).sum(0)
    item = int(np.flatnonzero(has == 2)[0])
    cosines = sum(view @ view[item] for view in views) / np.sqrt(np.maximum(has, 1) * has[item])
    cosines[has == 0] = -2
    cosines[item] = -2
    [given] = recommender.similar([f"item-{item:03}"], 6, by="text")
    np.testing.assert_allclose(given.scores, np.sort(cosines)[::-1][:6], atol=1e-5)
    assert set(numbers_of(given.item_ids)) == set((1 + np.argsort(-cosines)[:6]).tolist())


def test_similar_items_of_what_has_no_vector(trained):
    with pytest.raises(UsageError, match="no item 'nothing'"):
        Recommender.load(trained, device="cpu").similar(["item-001", "nothing"])
    shutil.rmtree(trained / "model")
    train(TrainOptions(model="popularity", device="cpu"), workdir=trained)
    loaded = Recommender.load(trained, device="cpu")
    with pytest.raises(UsageError, match="popularity has no vectors of items"):
        loaded.similar(["item-001"])
    assert len(loaded.similar(["item-001"], 3, by="text")[0].item_ids) == 3


def test_a_model_of_another_catalogue_is_refused(trained, tmp_path, make_structured):
    other = make_structured(tmp_path / "other", seed=1)
    for name in (names.EMBEDDINGS, names.CODES):
        shutil.copy2(other / name, trained / name)
    with pytest.raises(DataError, match="was made from another"):
        Recommender.load(trained, device="cpu")


def test_an_item_that_came_after_training_is_recommended_and_has_neighbours(trained):
    grow(trained)
    loaded = Recommender.load(trained, device="cpu")
    assert (loaded.added, len(loaded.items)) == (2, 62)
    [found] = loaded.recommend(HISTORIES[:1], 62)
    assert {"new-a", "new-b"} <= set(found.item_ids)
    [alone] = loaded.recommend([["new-a", "nothing"]], 5)
    assert not alone.fallback
    [similar] = loaded.similar(["new-a"], 3)  # its texts and codes are those of item-000
    assert similar.item_ids[0] == "item-000"
    np.testing.assert_allclose(similar.scores[0], 1, atol=1e-2)  # but for the free vector of the one that was trained
