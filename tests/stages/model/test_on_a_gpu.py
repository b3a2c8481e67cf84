"""What a GPU computes is what the CPU computes: losses, gradients, ranks and lists of every model."""

import copy

import numpy as np
import pytest
import torch
from models import config_for, objective_of

from stages.artifacts.names import SEQUENCES
from stages.artifacts.sequences import read_sequences
from stages.model.base import LearnedModel
from stages.model.catalogue import read_catalogue
from stages.model.device import autocast
from stages.model.ranking import best_lists, queries, rank
from stages.model.registry import BACKBONES, MODELS, model_class
from stages.train.adamw import AdamW
from stages.train.windows import Sampler, every_position

if not torch.cuda.is_available():
    pytest.skip("torch finds no GPU here", allow_module_level=True)

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)

CASES = {
    **{name: (name, {}) for name in MODELS},
    **{f"cocorec, {backbone}": ("cocorec", {"backbone": backbone}) for backbone in BACKBONES},
    "counts": ("cocorec", {"cooccurrence_bias": True, "with_ids": True}),
}

# Random numbers of devices differ. Both masked losses are in the comparison with the authors' pass, in test_fidelity.
OBJECTIVE = objective_of(mcm_weight=0.0, msa_weight=0.0)


@pytest.fixture(params=CASES)
def case(request, structured, monkeypatch):
    """A model on the CPU, counted, and its sequences."""
    monkeypatch.setattr(torch, "randn_like", torch.zeros_like)  # the noise of UniSRec's gates
    name, sizes = CASES[request.param]
    kind = model_class(name)
    catalogue = read_catalogue(structured, kind.reads, 8)
    torch.manual_seed(0)
    model = kind.build(config_for(name, catalogue, max_history=6, **sizes), catalogue)
    sequences = read_sequences(structured / SEQUENCES, items=catalogue.items)
    model.count(sequences)
    return model, sequences


def step(model, sequences, device, precision):
    """The loss of a batch, and the gradients."""
    model = copy.deepcopy(model).to(device).train()
    items = torch.from_numpy(sequences.items.astype("int64")).to(device)
    sampler = Sampler(items, every_position(sequences, 6), 32, 0)
    torch.manual_seed(1)
    with autocast(device, precision):
        losses = model.losses(sampler.batch(sampler.order(0), 0), OBJECTIVE)
    losses["loss"].backward()
    AdamW(model.parameters(), 0.01, 0.01).step()
    gradients = {name: each.grad.cpu() for name, each in model.named_parameters() if each.grad is not None}
    weights = {name: each.detach().cpu() for name, each in model.named_parameters()}
    return losses["loss"].detach().cpu(), gradients, weights


def test_a_step_in_float32(case):
    model, sequences = case
    if not isinstance(model, LearnedModel):
        pytest.skip("it only counts")
    expected, found = (step(model, sequences, device, "float32") for device in (CPU, GPU))
    torch.testing.assert_close(found[0], expected[0], rtol=1e-5, atol=0)
    assert found[1].keys() == expected[1].keys()
    for name, gradient in expected[1].items():
        torch.testing.assert_close(found[1][name], gradient, rtol=1e-3, atol=1e-5, msg=name)


def test_a_step_in_bfloat16(case):
    model, sequences = case
    if not isinstance(model, LearnedModel):
        pytest.skip("it only counts")
    expected, found = step(model, sequences, CPU, "float32"), step(model, sequences, GPU, "auto")
    torch.testing.assert_close(found[0], expected[0], rtol=2e-2, atol=0)
    for name, gradient in expected[1].items():
        assert found[1][name].isfinite().all(), name
        ours, theirs = found[1][name].flatten(), gradient.flatten()
        if theirs.norm() > 1e-4:
            assert torch.cosine_similarity(ours, theirs, dim=0) > 0.9, name
    assert all(weight.isfinite().all() for weight in found[2].values())


def test_ranks_and_lists(case):
    model, sequences = case
    wanted, found = queries(sequences, "valid", 6), {}
    for device in (CPU, GPU):
        placed = copy.deepcopy(model).to(device).eval()
        items = torch.from_numpy(sequences.items.astype("int64")).to(device)
        ranked = rank(placed, items, wanted, top=5, exclude_seen=True, both=True, batch_size=64)
        lists, scores = best_lists(placed, placed.scorer(), items, wanted.spans, top=5, exclude_seen=True)
        np.testing.assert_array_equal(ranked.items, lists)
        found[device.type] = ranked.ranks, scores
    # Scores that differ in their last bits change places.
    assert np.mean(found["cuda"][0] == found["cpu"][0]) > 0.98
    assert np.abs(found["cuda"][0] - found["cpu"][0]).max() <= 3
    np.testing.assert_allclose(found["cuda"][1], found["cpu"][1], rtol=1e-4, atol=1e-5)
