"""The mixture of experts against its definition, expert by expert."""

import pytest
import torch
from models import config_for
from torch.nn import functional as F

from stages.model.catalogue import read_catalogue
from stages.model.unisrec import MixtureOfExperts, UniSRec


@pytest.fixture
def mixture():
    torch.manual_seed(0)
    mixture = MixtureOfExperts(experts=3, inputs=5, outputs=4, dropout=0.0)
    for parameter in mixture.parameters():
        torch.nn.init.normal_(parameter)
    return mixture.double()


def by_definition(mixture, x, gates):
    outputs = [(x - bias) @ weight for bias, weight in zip(mixture.bias, mixture.weight, strict=True)]
    return sum(gate[:, None] * output for gate, output in zip(gates.T, outputs, strict=True))


def test_experts_are_mixed_by_the_gate(mixture):
    x = torch.randn(7, 5, dtype=torch.float64)
    expected = by_definition(mixture, x, torch.softmax(x @ mixture.gate, -1))
    torch.testing.assert_close(mixture.eval()(x), expected)


def test_the_gate_is_noisy_in_training_alone(mixture, monkeypatch):
    x, noise = torch.randn(7, 5, dtype=torch.float64), torch.randn(7, 3, dtype=torch.float64)
    monkeypatch.setattr(torch, "randn_like", lambda like: noise)
    logits = x @ mixture.gate + noise * (F.softplus(x @ mixture.noise) + 0.01)
    expected = by_definition(mixture, x, torch.softmax(logits, -1))
    torch.testing.assert_close(mixture.train()(x), expected)
    assert not torch.allclose(mixture.eval()(x), expected)


def test_experts_begin_alike_in_size_and_different_in_kind():
    torch.manual_seed(0)
    mixture = MixtureOfExperts(experts=4, inputs=200, outputs=50, dropout=0.0)
    spread = mixture.weight.std((1, 2))
    torch.testing.assert_close(spread, torch.full((4,), (2 / 250) ** 0.5), rtol=0.05, atol=0)
    assert not torch.equal(mixture.weight[0], mixture.weight[1])


def test_text_alone_or_text_and_id(structured):
    catalogue = read_catalogue(structured, UniSRec.reads, 8)
    torch.manual_seed(0)
    alone = UniSRec.build(config_for("unisrec", catalogue), catalogue).eval()
    both = UniSRec.build(config_for("unisrec", catalogue, with_ids=True), catalogue).eval()
    assert alone.encoder.ids is None
    both.encoder.mixture.load_state_dict(alone.encoder.mixture.state_dict())
    items = torch.tensor([1, 5, 60])
    texts, candidates = alone.encode(items)
    assert texts is candidates
    assert texts.shape == (3, 16)
    torch.testing.assert_close(both.encode(items)[0], texts + both.encoder.ids[items])
    expected = alone.encoder.mixture(catalogue.texts[items - 1].flatten(1))
    torch.testing.assert_close(texts, expected)
