"""Neighbours by text against plain loops, new items, and what is added outside of training alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from models import config_for
from torch.nn import functional as F

from stages.model import calibration as module
from stages.model.calibration import NEIGHBOURS, Calibration
from stages.model.catalogue import Catalogue
from stages.model.packing import Packing
from stages.model.repeats import seen_items
from stages.model.text import TextModel

ITEMS, VIEWS, DIM = 70, 2, 6


@pytest.fixture
def texts():
    """(N + 1, M, t): some items lack a view, item 9 lacks both, items 3 and 4 are alike."""
    torch.manual_seed(1)
    found = torch.randn(ITEMS + 1, VIEWS, DIM)
    found[::5, 1], found[9], found[0] = 0.0, 0.0, 0.0
    found[4] = found[3]
    return found


@pytest.fixture
def few(monkeypatch):
    """Few neighbours an item."""
    monkeypatch.setattr(module, "NEIGHBOURS", 8)


def found_in(texts, weight=0.5, recent=3):
    calibration = Calibration(recent)
    calibration.find(texts)
    calibration.text_weight.fill_(weight)
    return calibration


def cosines(texts):
    directions = F.normalize(texts.flatten(1), dim=-1)
    return (directions @ directions.T).double().numpy()


def nearest(texts, item, most):
    """The neighbours of an item, nearest first."""
    of_item = cosines(texts)[item]
    others = [other for other in range(1, len(texts)) if other != item and texts[other].any()]
    return sorted(others, key=lambda other: -of_item[other])[:most] if texts[item].any() else []


def test_neighbours_are_the_nearest_by_text(few, texts):
    calibration = found_in(texts)
    for item in range(1, ITEMS + 1):
        got = [other for other in calibration.nearest[item].tolist() if other]
        assert got == nearest(texts, item, 8)
        assert calibration.cosines[item, : len(got)].tolist() == pytest.approx(cosines(texts)[item, got], abs=1e-3)
    assert calibration.nearest.dtype == torch.int32
    assert calibration.nearest[4, 0] == 3
    assert not calibration.nearest[9].any() and not calibration.cosines[9].any()


def test_fewer_items_than_neighbours(texts):
    calibration = found_in(texts[:5])
    assert calibration.nearest.shape == (5, NEIGHBOURS)
    assert [sorted(row[row > 0].tolist()) for row in calibration.nearest[1:]] == [
        [2, 3, 4],
        [1, 3, 4],
        [1, 2, 4],
        [1, 2, 3],
    ]


def test_shifts_after_histories(few, texts):
    calibration = found_in(texts)
    histories = [[1, 2, 3, 9], [4], [7, 7, 8, 2, 5]]
    items = torch.tensor([item for history in histories for item in history])
    packing = Packing.of_lengths(torch.tensor([len(history) for history in histories]))
    queries = torch.tensor([2, 3, 4, 9])
    shifts = calibration(items, packing, queries, seen_items(items, packing, queries))
    got = np.zeros((4, ITEMS + 1))
    np.add.at(got, (shifts.rows.numpy(), shifts.items.numpy()), shifts.values.numpy())
    for row, read in zip(got, ([1, 2, 3], [1, 2, 3, 9], [4], [7, 7, 8, 2, 5]), strict=True):
        expected = np.zeros(ITEMS + 1)
        for age, item in enumerate(reversed(read[-3:])):
            for other in set(nearest(texts, item, 8)) - set(read):
                expected[other] += 0.5 * max(0.0, cosines(texts)[item, other]) / (1 + age)
        assert row == pytest.approx(expected, abs=1e-3)
    assert shifts.rows.tolist() == sorted(shifts.rows.tolist())


@pytest.mark.parametrize("known", [2, 30, ITEMS])
def test_items_that_came_later_are_as_if_they_had_been_there(few, texts, known):
    grown = found_in(texts[:known])
    grown.follow(texts)
    whole = found_in(texts)
    # Cosines are kept in half precision, in which neighbours may change places.
    assert torch.allclose(grown.cosines.float(), whole.cosines.float(), atol=2e-3)
    for before, after in zip(grown.nearest.tolist(), whole.nearest.tolist(), strict=True):
        assert len(set(before) - set(after)) <= 1


def test_nothing_is_found_without_being_asked_for(texts):
    calibration = Calibration(3)
    items = torch.tensor([1, 2])
    packing, queries = Packing.of_lengths(torch.tensor([2])), torch.tensor([1])
    assert calibration(items, packing, queries, seen_items(items, packing, queries)) is None
    calibration.find(texts)
    calibration.forget()
    assert calibration(items, packing, queries, seen_items(items, packing, queries)) is None


def catalogue_of(texts):
    return Catalogue(len(texts) - 1, texts=texts[1:], present=texts[1:].any(2), views=("a", "b"))


def model_of(texts, **sizes):
    """With neighbours by text that weigh much."""
    torch.manual_seed(0)
    catalogue = catalogue_of(texts)
    model = TextModel.build(config_for("text", catalogue, calibrate=True, **sizes), catalogue).eval()
    model.calibration.find(model.texts)
    model.calibration.text_weight.fill_(0.5)
    return model


@torch.inference_mode()
def scores(model, history):
    return model.scorer()(torch.tensor(history), Packing.of_lengths(torch.tensor([len(history)])))(slice(0, 1))[0]


def test_in_another_catalogue_neighbours_are_found_again(texts):
    model = model_of(texts)
    order = torch.cat([torch.zeros(1, dtype=torch.int64), torch.randperm(ITEMS) + 1])
    nobody = torch.zeros(0, dtype=torch.int64)
    weights = TextModel.with_other_items(model.state_dict(), nobody, nobody, ITEMS)
    other = TextModel.restore(model.config, catalogue_of(texts[order]), weights).eval()
    number = order.argsort()
    expected = scores(model, [5, 6, 7])[order]
    # Of items whose cosines are equal in half precision others may be among the nearest.
    assert (scores(other, number[[5, 6, 7]].tolist()) - expected).abs().gt(2e-3).sum() <= 2
    assert not TextModel.knows_items(weights)


def test_a_catalogue_that_grew(texts):
    before = model_of(texts[:50])
    weights = TextModel.with_new_items(before.state_dict(), ITEMS + 1 - 50)
    grown = TextModel.restore(replace(before.config, items=ITEMS), catalogue_of(texts), weights).eval()
    assert len(grown.calibration.nearest) == ITEMS + 1
    assert (grown.calibration.nearest >= 50).any()
    plain = scores(model_of(texts), [5, 6, 7])
    assert (scores(grown, [5, 6, 7]) - plain).abs().gt(2e-3).sum() <= 2


def test_training_knows_nothing_of_it(texts):
    catalogue = catalogue_of(texts)
    torch.manual_seed(0)
    model = TextModel.build(config_for("text", catalogue, calibrate=True, cooccurrence_bias=True), catalogue)
    items = torch.tensor([1, 2, 3])
    packing, queries, following = Packing.of_lengths(torch.tensor([3])), torch.tensor([2]), torch.tensor([5])
    before = [len(model.shifts(items, packing, queries, to).rows) for to in (following, None)]
    model.calibration.find(texts)
    model.calibration.text_weight.fill_(0.5)
    after = [len(model.shifts(items, packing, queries, to).rows) for to in (following, None)]
    assert after[0] == before[0]
    assert after[1] > before[1]


@pytest.mark.parametrize("damage", ["above", "below", "more", "uneven"])
def test_neighbours_of_another_catalogue_are_refused(texts, damage):
    model = model_of(texts)
    weights = model.state_dict()
    nearest, cosines = weights["calibration.nearest"].clone(), weights["calibration.cosines"]
    if damage in ("above", "below"):
        nearest[3, 2] = ITEMS + 1 if damage == "above" else -1
    else:
        nearest = torch.cat([nearest, nearest[:1]])
        cosines = torch.cat([cosines, cosines[:1]]) if damage == "more" else cosines
    weights = {**weights, "calibration.nearest": nearest, "calibration.cosines": cosines}
    with pytest.raises(ValueError, match="the neighbours by text are of another catalogue"):
        TextModel.restore(model.config, catalogue_of(texts), weights)


def test_weights_come_back_with_their_neighbours(texts):
    calibration = found_in(texts)
    again = Calibration(3)
    again.load_state_dict(calibration.state_dict())
    assert torch.equal(again.nearest, calibration.nearest)
    assert torch.equal(again.cosines, calibration.cosines)
    assert float(again.text_weight) == 0.5
