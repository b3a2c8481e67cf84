import pytest
import torch
from models import config_of, objective_of

from stages.artifacts.names import ITEMS
from stages.model.batch import Batch
from stages.model.catalogue import Catalogue
from stages.model.packing import Packing
from stages.model.sasrec import ItemTable, SASRec


@pytest.fixture
def model():
    torch.manual_seed(0)
    return SASRec.build(config_of("sasrec", 9), Catalogue(9)).eval()


def test_the_vector_of_an_item_is_its_row(model):
    items = torch.tensor([3, 9, 3])
    assert model.encoder(items).equal(model.encoder.table[items])
    history, candidates = model.item_tables()
    assert history is candidates
    assert candidates[1:].equal(model.encoder.table[1:])
    assert not candidates[0].any()


def test_the_table_is_drawn_for_every_item():
    torch.manual_seed(0)
    table = ItemTable(config_of("sasrec", 999)).table
    assert table.shape == (1000, 16)
    assert table.std().item() == pytest.approx(0.02, rel=0.05)


def test_what_is_no_candidate_learns_nothing(model):
    packing = Packing.of_lengths(torch.tensor([2, 1]))
    counted = torch.arange(3)
    batch = Batch(torch.tensor([1, 2, 4]), packing, counted, torch.tensor([2, 5, 6]), torch.tensor([1, 2, 4, 5, 6]))
    losses = model.losses(batch, objective_of())
    assert set(losses) == {"loss", "rec"}
    losses["loss"].backward()
    learnt = model.encoder.table.grad.abs().sum(1).nonzero()[:, 0].tolist()
    assert learnt == [1, 2, 4, 5, 6]


def test_new_items_get_rows_of_zero(model):
    tensors = model.state_dict()
    grown = SASRec.with_new_items(tensors, 2)
    assert grown["encoder.table"].shape == (12, 16)
    assert grown["encoder.table"][:10].equal(tensors["encoder.table"])
    assert not grown["encoder.table"][10:].any()
    assert {name for name in grown if grown[name] is not tensors[name]} == {"encoder.table"}


def test_it_needs_the_number_of_items_alone():
    assert SASRec.reads == (ITEMS,)
