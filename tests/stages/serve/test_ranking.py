import json
from dataclasses import replace

import numpy as np
import pytest

from stages.recommend import Recommender
from stages.serve.ranking import answer, rank
from stages.serve.requests import RecommendRequest, resolve
from stages.serve.work import AskedSimilar


@pytest.fixture(scope="module")
def recommender(trained_once):
    return Recommender.load(trained_once, device="cpu")


def ids(*numbers):
    return [f"item-{number:03}" for number in numbers]


REQUESTS = [
    {"history": ids(1, 2, 3), "k": 7},
    {"history": ids(5), "k": 60},
    {"history": ids(9, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0), "k": 3, "exclude_seen": True},
    {"history": ids(4, 10), "k": 5, "exclude_seen": False, "exclude": ids(4, 10, 16, 16)},
    {"history": ids(4, 10), "k": 5, "candidates": ids(3, 4, 5, 3)},
    {"history": ids(4, 10), "k": 50, "candidates": ids(3, 4, 5, 4, 10), "exclude": ids(5), "exclude_seen": True},
    {"history": [], "k": 4},
    {"history": ["unknown"], "k": 4, "exclude": ids(*range(0, 60, 2))},
    {"history": [], "k": 9, "candidates": [*ids(1, 50, 7, 3, 3), "unknown"], "exclude": ids(7)},
]


def test_a_batch_answers_each_as_recommend_does_alone(snapshot, recommender):
    asked = [resolve(RecommendRequest(**request), snapshot) for request in REQUESTS]
    lines = [json.loads(line) for line in answer(asked)]
    for request, found in zip(REQUESTS, lines, strict=True):
        given = {name: request.get(name) for name in ("exclude_seen", "candidates", "exclude")}
        (expected,) = recommender.recommend([request["history"]], request["k"], **given)
        assert found["item_ids"] == expected.item_ids
        assert np.float32(found["scores"]).tolist() == expected.scores
        assert found["fallback"] == expected.fallback
    assert [found.get("unknown_ids") for found in lines] == [*[None] * 7, 1, 1]


def test_similar_items_beside_recommendations(snapshot, recommender):
    asked = resolve(RecommendRequest(history=ids(1), k=2), snapshot)
    works = [AskedSimilar(snapshot, "item-007", 8, k, "model") for k in (3, 60)]
    first, middle, last = (json.loads(line) for line in answer([works[0], asked, works[1]]))
    for found, k in ((first, 3), (last, 60)):
        (expected,) = recommender.similar(["item-007"], k)
        assert (found["item_id"], found["item_ids"]) == ("item-007", expected.item_ids)
        assert np.float32(found["scores"]).tolist() == expected.scores
    assert len(middle["item_ids"]) == 2


def test_requests_of_two_models_are_each_answered_by_their_own(snapshot):
    other = replace(snapshot, columns={"item_ids": snapshot.columns["item_ids"], "title": snapshot.columns["item_ids"]})
    asked = [resolve(RecommendRequest(history=ids(1), k=2), found) for found in (snapshot, other, snapshot)]
    assert ["title" in json.loads(line) for line in answer(asked)] == [False, True, False]


def test_lists_are_cut_to_what_each_asked_for(snapshot):
    asked = [resolve(RecommendRequest(history=ids(1), k=k), snapshot) for k in (1, 5)]
    assert (rank(asked).items > 0).sum(axis=1).tolist() == [1, 5]
