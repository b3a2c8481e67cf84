import pytest
import torch
from models import config_for
from torch.nn import functional as F

from stages.model.catalogue import Catalogue
from stages.model.text import TextModel

ITEMS, VIEWS, WIDTH = 7, 2, 5


@pytest.fixture
def catalogue():
    torch.manual_seed(0)
    texts = torch.randn(ITEMS, VIEWS, WIDTH)
    return Catalogue(ITEMS, texts=texts, present=torch.ones(ITEMS, VIEWS, dtype=torch.bool), views=("title", "brand"))


def build(catalogue, **sizes):
    return TextModel.build(config_for("text", catalogue, **sizes), catalogue).eval()


def test_vectors_are_the_views_through_two_layers(catalogue):
    model = build(catalogue)
    perceptron, items = model.encoder.perceptron, torch.tensor([7, 2, 2])
    texts = torch.stack([catalogue.texts[item - 1].flatten() for item in items])
    expected = perceptron.norm(perceptron.outer(F.gelu(perceptron.inner(texts))))
    torch.testing.assert_close(model.encoder(items), expected)
    assert model.encoder(items).shape == (3, 16)


def test_items_with_the_same_texts_are_the_same_until_ids_tell_them_apart(catalogue):
    catalogue.texts[3] = catalogue.texts[0]
    model = build(catalogue, with_ids=True)
    one, other = torch.tensor([1]), torch.tensor([4])
    assert model.encoder(one).equal(model.encoder(other))
    model.encoder.ids.data[4] = torch.arange(16.0)
    assert not torch.allclose(model.encoder(one), model.encoder(other))


def test_new_items_have_no_vectors_of_their_own_in_training_alone(catalogue):
    model = build(catalogue, with_ids=True)
    items = torch.tensor([2, 3])
    without = model.encoder(items)
    model.encoder.ids.data[2:4] = torch.arange(16.0)
    given = model.encoder(items)
    model.encoder.as_new = torch.arange(ITEMS + 1) == 3
    read = model.train().encoder(items)
    torch.testing.assert_close(read[0], given[0])
    torch.testing.assert_close(read[1], without[1])
    torch.testing.assert_close(model.eval().encoder(items), given)


def test_texts_are_not_saved_and_come_back_with_the_catalogue(catalogue):
    model = build(catalogue)
    tensors = model.state_dict()
    assert "encoder.texts" not in tensors
    again = TextModel.restore(model.config, catalogue, tensors).eval()
    assert again.item_tables()[1].equal(model.item_tables()[1])
    assert not again.encoder.texts[0].any()


def test_new_items_need_rows_only_where_there_are_ids(catalogue):
    tensors = build(catalogue).state_dict()
    assert TextModel.with_new_items(tensors, 2) is tensors
    grown = TextModel.with_new_items(build(catalogue, with_ids=True).state_dict(), 2)
    assert grown["encoder.ids"].shape == (ITEMS + 3, 16)
