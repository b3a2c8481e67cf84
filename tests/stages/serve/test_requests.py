from dataclasses import replace

import pytest

from stages.serve.options import ServeOptions
from stages.serve.requests import (
    RecommendRequest,
    RefusedError,
    encodable,
    parse,
    request_model,
    resolve,
    resolve_similar,
)

MODEL = request_model(ServeOptions(max_ids=3, max_top=20))


def refused(call, *args):
    with pytest.raises(RefusedError) as caught:
        call(*args)
    return caught.value


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        (b"", 400, "Invalid JSON"),
        (b'{"history": ["a"', 400, "Invalid JSON"),
        (b"\xff\xfe", 400, "Invalid JSON"),
        (b"[" * 500_000, 400, "Invalid JSON"),
        (b'{"history": ["\\ud800"]}', 400, "Invalid JSON"),
        (b'{"k": NaN, "history": []}', 422, "k"),
        (b"[]", 422, "object"),
        (b'{"history": "item-001"}', 422, "history"),
        (b'{"history": ["a", 7]}', 422, "history.1: Input should be a valid string"),
        (b'{"history": [null]}', 422, "history.0"),
        (b'{"history": ["a", "b", "c", "d"]}', 422, "history: List should have at most 3 items"),
        (b'{"history": [], "k": 0}', 422, "k: Input should be greater than or equal to 1"),
        (b'{"history": [], "k": 21}', 422, "k: Input should be less than or equal to 20"),
        (b'{"history": [], "k": 1.5}', 422, "k"),
        (b'{"history": [], "k": "3"}', 422, "k"),
        (b'{"history": [], "k": 100000000000000000000000}', 422, "k"),
        (b'{"history": [], "top": 3}', 422, "top: Extra inputs are not permitted"),
        (b'{"history": [], "exclude": {}, "candidates": 1, "k": 0, "a": 1, "b": 2}', 422, "and 2 more"),
    ],
)
def test_bodies_that_do_not_fit(body, status, told):
    error = refused(parse, body, MODEL)
    assert (error.status, told in error.message) == (status, True), error.message
    assert len(error.message) < 500


def test_a_body_that_fits():
    found = parse(b'{"user_id": "u"}', MODEL)
    assert (found.user_id, found.history, found.k) == ("u", None, 10)


@pytest.mark.parametrize(
    ("asked", "status", "told"),
    [
        ({}, 422, "either history or user_id"),
        ({"history": [], "user_id": "user-000"}, 422, "either history or user_id"),
        ({"user_id": "nobody\n"}, 404, "there is no user 'nobody\\n'"),
        ({"user_id": "x" * 10_000}, 404, "xxx..."),
        ({"history": [], "k": 61}, 422, "k: must be from 1 to 60, the items of the catalogue, is 61"),
        ({"history": [], "candidates": []}, 422, "leave none of the 60 items"),
        ({"history": [], "candidates": ["unknown"]}, 422, "leave none"),
        ({"history": [], "candidates": ["item-001"], "exclude": ["item-001"]}, 422, "leave none"),
        ({"history": [], "exclude": [f"item-{number:03}" for number in range(60)]}, 422, "leave none"),
    ],
)
def test_requests_that_no_model_answers(snapshot, asked, status, told):
    error = refused(resolve, RecommendRequest(**{"k": 10, **asked}), snapshot)
    assert (error.status, told in error.message) == (status, True), error.message
    assert len(error.message) < 300


def test_a_server_without_histories(snapshot):
    bare = replace(snapshot, histories=None, counts=None)
    assert refused(resolve, RecommendRequest(user_id="user-000", k=1), bare).status == 404
    assert "popular" in refused(resolve, RecommendRequest(history=["unknown"], k=1), bare).message
    assert len(resolve(RecommendRequest(history=["item-001"], k=1), bare).history) == 1


def test_similar_items(snapshot):
    assert resolve_similar("item-003", 5, snapshot, "model").number == 4
    for item in ("item-3", "", "\udcff", "item-003 "):
        assert refused(resolve_similar, item, 5, snapshot, "model").status == 404
    assert refused(resolve_similar, "item-003", 61, snapshot, "model").status == 422
    without = replace(snapshot, no_similar="the model popularity has no vectors of items")
    assert refused(resolve_similar, "item-003", 5, without, "model").status == 409


def test_encodable():
    assert encodable("ä")
    assert not encodable("\udcff")
