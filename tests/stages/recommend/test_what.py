import numpy as np
import pytest

import stages.preprocess
from stages.artifacts.errors import DataError, UsageError
from stages.frame.run import StageRun
from stages.recommend import Recommender, RecommendOptions
from stages.recommend.what import allowed_items, seen_items_in_words
from stages.train import TrainOptions, train


@pytest.fixture
def allow(recommender, trained_once, tmp_path):
    """The numbers of the items that files and a condition leave; ``None`` for all."""

    def allow(*, readers=stages.preprocess, files=(), **options):
        for name, text in dict(files).items():
            options[name] = tmp_path / f"{name}.csv"
            options[name].write_text(text)
        chosen = RecommendOptions(**options)
        run = StageRun("recommend", chosen, trained_once, None)
        allowed = allowed_items(chosen, run, recommender, {}, readers)
        assert allowed is None or (allowed.shape, allowed.dtype, allowed[0]) == ((61,), np.bool_, False)
        return None if allowed is None else np.flatnonzero(allowed).tolist()

    return allow


def test_all_without_filters(allow):
    assert allow() is None


def test_each_filter_leaves_its_items(allow):
    assert allow(files={"candidates": "item-001\nitem-005\n"}) == [2, 6]
    assert allow(files={"exclude": "item-001\nitem-005\n"}) == [n for n in range(1, 61) if n not in (2, 6)]
    assert allow(where="title = 'title 4'") == list(range(5, 61, 6))


def test_filters_leave_what_all_of_them_leave(allow):
    files = {"candidates": "item-004\nitem-010\nitem-011\n", "exclude": "item-010\n"}
    assert allow(files=files, where="title = 'title 4'") == [5]
    with pytest.raises(DataError, match="the filters leave none of the 60 items"):
        allow(files=files, where="title = 'title 0'")


def test_a_condition_on_a_table_of_the_user(allow):
    table = "sku,item_id,price\n1,item-000,5\n2,gone,5\n3,item-002,50\n"
    assert allow(files={"items": table}, where="price < 10") == [1]
    table = table.replace("item_id", "name")
    assert allow(files={"items": table}, where="price > 10", item_column="name") == [3]


def test_conditions_need_readers(allow):
    with pytest.raises(UsageError, match="--where needs the readers of preprocess"):
        allow(where="title = 'title 4'", readers=None)
    assert allow(files={"candidates": "item-004\n"}, readers=None) == [5]


def test_who_decided_on_seen_items(recommender):
    assert seen_items_in_words(RecommendOptions(exclude_seen=True), recommender) == "left out, as asked"
    assert seen_items_in_words(RecommendOptions(exclude_seen=False), recommender) == "left in, as asked"
    assert recommender.model.knows_repeats
    words = "left in, ranked by what the model learnt of repeats"
    assert seen_items_in_words(RecommendOptions(), recommender) == words


def test_a_model_may_have_learnt_nothing_of_repeats(trained):
    train(TrainOptions(model="popularity", device="cpu"), workdir=trained)
    loaded = Recommender.load(trained, device="cpu")
    words = "left out, the model learnt nothing of repeats"
    assert seen_items_in_words(RecommendOptions(), loaded) == words
