import pytest
import torch
from models import config_for, objective_of

from stages.model.batch import Batch
from stages.model.catalogue import Catalogue
from stages.model.cocorec import CoCoRec
from stages.model.masking import CodeMasking
from stages.model.packing import Packing

ITEMS, CODES, SIZE = 9, 4, 5


@pytest.fixture
def model():
    torch.manual_seed(0)
    present = torch.ones(ITEMS, 2, dtype=torch.bool)
    codes, texts = torch.randint(SIZE, (ITEMS, CODES)), torch.randn(ITEMS, 2, 6)
    catalogue = Catalogue(ITEMS, codes, SIZE, texts, present, ("title", "brand"))
    return CoCoRec.build(config_for("cocorec", catalogue), catalogue).eval()


@pytest.fixture
def batch():
    packing = Packing.of_lengths(torch.tensor([3, 2]))
    return Batch(torch.tensor([1, 2, 3, 4, 2]), packing, torch.tensor([1, 2, 4]), torch.tensor([3, 5, 9]))


def losses(model, batch, **options):
    torch.manual_seed(5)
    return {name: loss.item() for name, loss in model.losses(batch, objective_of(**options)).items()}


def test_vectors_and_their_width(model):
    items = torch.tensor([9, 1])
    history, candidate = model.encode(items)
    fused = model.encoder(items)
    assert history.equal(fused.history())
    assert candidate.equal(fused.candidate())
    assert model.width == CODES * 16
    codes, masked = model.encode_masked(items, model.encoder.rows[items])
    assert codes.equal(fused.codes)
    assert masked.equal(history)


def test_the_loss_is_the_weighted_sum(model, batch):
    found = losses(model, batch, mcm_weight=0.3, msa_weight=2.0)
    assert set(found) == set(model.loss_names)
    assert found["loss"] == pytest.approx(found["rec"] + 0.3 * found["mcm"] + 2 * found["msa"], rel=1e-6)


@pytest.mark.parametrize(("weight", "left"), [("mcm_weight", "msa"), ("msa_weight", "mcm")])
def test_a_loss_without_weight_is_not_there_and_changes_no_other(model, batch, weight, left):
    both, one = losses(model, batch), losses(model, batch, **{weight: 0.0})
    assert set(one) == {"loss", "rec", left}
    assert (one["rec"], one[left]) == (both["rec"], both[left])


def test_nothing_masked_leaves_nothing_to_guess(model, batch):
    found = losses(model, batch, masking=CodeMasking(0.0))
    assert found["mcm"] == 0
    masked = losses(model, batch, masking=CodeMasking(1.0, mask_share=1.0))
    assert masked["mcm"] > 0
    assert masked["msa"] > found["msa"]  # histories of masks alone are all the same


def test_histories_with_the_same_next_item_are_negatives_only_where_it_is_wanted(model, batch):
    shared = Batch(batch.items, batch.packing, batch.counted, torch.tensor([3, 5, 5]))
    apart, together = losses(model, shared), losses(model, shared, msa_same_target=True)
    assert together["msa"] > apart["msa"]
    assert together["rec"] == apart["rec"]


def test_positions_of_one_history_are_no_negatives_of_each_other(model):
    packing = Packing.of_lengths(torch.tensor([4]))
    alone = Batch(torch.tensor([1, 2, 3, 4]), packing, torch.arange(4), torch.tensor([2, 3, 4, 5]))
    for same_target in (True, False):
        found = losses(model, alone, msa_same_target=same_target)
        assert found["msa"] == pytest.approx(0, abs=1e-6)
