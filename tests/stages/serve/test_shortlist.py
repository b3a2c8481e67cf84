import json
from dataclasses import replace

import faiss
import numpy as np
import pytest
import torch

from stages.artifacts.errors import DataError, NotFiniteError, UsageError
from stages.frame.reporter import Reporter
from stages.serve import shortlist as module
from stages.serve.options import ServeOptions
from stages.serve.ranking import answer, rank
from stages.serve.requests import RecommendRequest, resolve
from stages.serve.shortlist import Shortlist
from stages.serve.snapshot import load_snapshot


class Flat:
    """An index of faiss that misses nothing, but for some items that it was not given."""

    def __init__(self, vectors, missing=()):
        self.items, self.dim = vectors.shape
        kept = np.setdiff1d(np.arange(1, self.items + 1), missing)
        self._found = faiss.IndexIDMap2(faiss.IndexFlatIP(self.dim))
        self._found.add_with_ids(vectors[kept - 1], kept)
        self.asked = []

    def search(self, vectors, top):
        self.asked.append((len(vectors), top))
        scores, numbers = self._found.search(vectors, top)
        return np.maximum(numbers, 0).astype(np.int32), scores


def vectors_of(snapshot):
    return snapshot.recommender.scorer.candidates[1:].numpy()


def with_index(snapshot, index):
    scorer = snapshot.recommender.scorer
    length = snapshot.recommender.model.config.max_history
    return replace(snapshot, shortlist=Shortlist(index, scorer, length, "here"))


def ids(*numbers):
    return [f"item-{number:03}" for number in numbers]


REQUESTS = [
    {"history": ids(1, 2, 3), "k": 7},
    {"history": ids(9, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0), "k": 3, "exclude_seen": True},
    {"history": ids(4, 10), "k": 5, "exclude": ids(4, 10, 16, 16)},
    {"history": ids(4, 10), "k": 50, "candidates": ids(3, 4, 5, 4, 10), "exclude": ids(5)},
    {"history": [], "k": 4},
]


@pytest.fixture(params=[0.0, 5.0])
def _bias(snapshot, request):
    """The learnt repeat bias, or one that lifts items of the history above all others."""
    bias = snapshot.recommender.model.repeats.by_age.data
    learnt = bias.clone()
    bias += torch.linspace(request.param, 0, len(bias))
    yield
    bias.copy_(learnt)


@pytest.mark.usefixtures("_bias")
def test_lists_are_those_of_all_items_scored(snapshot):
    index = Flat(vectors_of(snapshot))
    indexed = with_index(snapshot, index)
    exact, quick = (
        [json.loads(line) for line in answer([resolve(RecommendRequest(**one), found) for one in REQUESTS])]
        for found in (snapshot, indexed)
    )
    for one, other in zip(exact, quick, strict=True):
        assert one["item_ids"] == other["item_ids"]
        np.testing.assert_allclose(one["scores"], other["scores"], atol=1e-5)
    assert index.asked == [(4, 13)]  # one search for the whole batch: k and what is left out


def test_where_the_index_finds_too_few_all_items_are_scored(snapshot):
    indexed = with_index(snapshot, Flat(vectors_of(snapshot), missing=np.arange(5, 60)))
    asked = {"history": ids(1), "k": 10}
    exact, quick = (answer([resolve(RecommendRequest(**asked), found)]) for found in (snapshot, indexed))
    assert exact == quick


def test_who_leaves_out_very_many_is_ranked_without(snapshot, monkeypatch):
    monkeypatch.setattr(module, "_MOST", 10)
    index = Flat(vectors_of(snapshot))
    asked = resolve(RecommendRequest(history=ids(1), k=5, exclude=ids(*range(20, 40))), with_index(snapshot, index))
    assert (rank([asked]).items > 0).sum() == 5
    assert index.asked == []


def test_an_index_of_other_items(snapshot):
    vectors = vectors_of(snapshot)
    for other in (vectors[:-1], np.ascontiguousarray(vectors[:, :-1])):
        with pytest.raises(DataError, match="the index holds"):
            with_index(snapshot, Flat(other))


def test_scores_that_are_not_finite(snapshot, monkeypatch):
    indexed = with_index(snapshot, Flat(vectors_of(snapshot)))
    broken = snapshot.recommender.scorer.candidates.clone()
    broken[2] = torch.nan
    monkeypatch.setattr(snapshot.recommender.scorer, "candidates", broken)
    with pytest.raises(NotFiniteError):
        rank([resolve(RecommendRequest(history=ids(1), k=5, candidates=ids(1, 2)), indexed)])


def test_it_is_read_with_the_model(trained_once, snapshot):
    options = ServeOptions(device="cpu")
    found = load_snapshot(trained_once, options, Reporter(), lambda workdir: Flat(vectors_of(snapshot)))
    assert found.shortlist is not None


def test_models_without_vectors(structured, train_small):
    train_small(structured, model="popularity")
    with pytest.raises(UsageError, match="no vectors of items to search"):
        load_snapshot(structured, ServeOptions(device="cpu"), Reporter(), lambda workdir: Flat(np.eye(3)))
