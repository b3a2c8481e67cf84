"""The losses of a batch, each item fused once, against the same losses with every occurrence fused alone."""

import numpy as np
import pytest
import torch
from models import config_for, objective_of
from torch.nn import functional as F

from stages.artifacts.names import SEQUENCES
from stages.artifacts.sequences import read_sequences
from stages.model import chunks
from stages.model.catalogue import read_catalogue
from stages.model.cocorec import CoCoRec
from stages.model.losses import masked_code_modelling, masked_sequence_alignment
from stages.train.windows import Sampler, every_position


@pytest.fixture
def setting(structured):
    torch.manual_seed(3)
    catalogue = read_catalogue(structured, CoCoRec.reads, 8)
    model = CoCoRec.build(config_for("cocorec", catalogue, max_history=6), catalogue)
    torch.nn.init.normal_(model.repeats.by_age, std=0.3)
    model = model.double()
    sequences = read_sequences(structured / SEQUENCES)
    items = torch.from_numpy(sequences.items.astype(np.int64))
    sampler = Sampler(items, every_position(sequences, 6), 32, seed=0)
    return model, sampler.batch(sampler.order(0), 0)


class KeepCodes:
    """Masks nothing but says it chose every other code, so that both sides see the same."""

    def __call__(self, rows, codebook_size):
        chosen = torch.arange(rows.numel()).view(rows.shape) % 2 == 0
        return rows.masked_fill(chosen, 0), chosen


def dense_shifts(model, batch, pool):
    """What the repeat bias adds for each (target, candidate), by walking through every history."""
    rows, columns = batch.packing.rows.tolist(), batch.packing.columns.tolist()
    shifts = torch.zeros(len(batch.counted), len(pool), dtype=model.repeats.by_age.dtype)
    for query, at in enumerate(batch.counted.tolist()):
        ages = {}
        for place in range(at + 1):
            if rows[place] == rows[at]:
                ages[batch.items[place].item()] = columns[at] - columns[place]
        for item, age in ages.items():
            if item in pool:
                shifts[query, pool.index(item)] = model.repeats.by_age[age]
    return shifts


def naive_recommendation(model, batch, users, pool, temperature=0.07):
    candidates = F.normalize(model.encode(torch.tensor(pool))[1], dim=-1)
    scores = F.normalize(users, dim=-1) @ candidates.T + dense_shifts(model, batch, pool)
    goals = torch.tensor([pool.index(target) for target in batch.targets.tolist()])
    return F.cross_entropy(scores / temperature, goals)


def naive(model, batch, masking, temperature=0.07, a=0.4, b=0.4):
    fused = model.encoder(batch.items)
    users = model.backbone(fused.history(), batch.packing)[batch.counted]
    rows = model.encoder.rows[batch.items]
    masked_rows, chosen = masking(rows, 8)
    masked = model.encoder(batch.items, masked_rows)
    masked_users = model.backbone(masked.history(), batch.packing)[batch.counted]
    groups = torch.stack([batch.packing.rows[batch.counted], batch.targets], 1)
    return (
        naive_recommendation(model, batch, users, list(range(1, model.config.items + 1)), temperature)
        + a
        * masked_code_modelling(masked.codes, model.encoder.table, rows, chosen, temperature, mcm_softmax="position")
        + b * masked_sequence_alignment(users, masked_users, temperature, groups=groups)
    )


def gradients(model, loss):
    model.zero_grad()
    loss.backward()
    return {name: parameter.grad.clone() for name, parameter in model.named_parameters()}


@pytest.fixture
def in_float64(monkeypatch):
    # The stage computes losses in float32; here both sides stay in float64 so that they can be compared closely.
    monkeypatch.setattr(torch.Tensor, "float", lambda self: self)


@pytest.mark.parametrize(("kept", "cached"), [(1 << 30, 1 << 19), (1 << 30, 2000), (1 << 20, 2000), (0, 1)])
def test_fusing_each_item_once_changes_nothing(setting, in_float64, monkeypatch, kept, cached):
    monkeypatch.setattr(chunks, "_KEPT_ON_CPU", kept)
    monkeypatch.setattr(chunks, "_CACHED", cached)
    model, batch = setting
    masking = KeepCodes()
    losses = model.losses(batch, objective_of(masking=masking))
    expected = naive(model, batch, masking)
    torch.testing.assert_close(losses["loss"], expected, rtol=1e-12, atol=0)
    ours, theirs = gradients(model, losses["loss"]), gradients(model, naive(model, batch, masking))
    for name, gradient in ours.items():
        torch.testing.assert_close(gradient, theirs[name], rtol=1e-9, atol=1e-12, msg=name)


def test_sampling_more_negatives_than_items_is_the_full_softmax(setting):
    model, batch = setting
    full = model.losses(batch, objective_of(mcm_weight=0, msa_weight=0))["rec"]
    same = model.losses(batch, objective_of(mcm_weight=0, msa_weight=0, negatives=60))["rec"]
    fewer = model.losses(batch, objective_of(mcm_weight=0, msa_weight=0, negatives=5))["rec"]
    assert torch.equal(full, same)
    assert fewer < full


def test_sampled_negatives_are_ranked_with_the_targets_of_the_batch(setting, monkeypatch):
    model, batch = setting
    drawn = torch.tensor([7, 8, 7, 60])
    monkeypatch.setattr(torch, "randint", lambda *args, **kwargs: drawn)
    loss = model.losses(batch, objective_of(mcm_weight=0, msa_weight=0, negatives=4))["rec"]
    pool = sorted({*drawn.tolist(), *batch.targets.tolist()})
    users = model.backbone(model.encoder(batch.items).history(), batch.packing)[batch.counted]
    expected = naive_recommendation(model, batch, users, pool)
    torch.testing.assert_close(loss.double(), expected, rtol=1e-5, atol=0)


def test_losses_without_weight_are_not_computed(setting, in_float64):
    model, batch = setting
    assert set(model.losses(batch, objective_of(mcm_weight=0))) == {"rec", "msa", "loss"}
    assert set(model.losses(batch, objective_of(msa_weight=0))) == {"rec", "mcm", "loss"}
    assert set(model.losses(batch, objective_of(mcm_weight=0, msa_weight=0))) == {"rec", "loss"}
