import pytest
import torch
from models import config_for, objective_of
from torch import nn

from stages.model import layers
from stages.model.batch import Batch
from stages.model.catalogue import Catalogue
from stages.model.layers import Attend, Dropout
from stages.model.packing import Packing
from stages.model.registry import model_class


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("p", [0.1, 0.3, 0.5])
def test_dropout_keeps_rate_mean_and_gradient(p):
    layer = Dropout(p).train()
    x = torch.ones(1001, 1003, requires_grad=True)  # not a multiple of eight elements
    y = layer(x)
    dropped = y == 0
    assert dropped.float().mean().item() == pytest.approx(p, abs=0.003)
    assert y.mean().item() == pytest.approx(1, abs=0.003)
    assert len(y.unique()) == 2
    for axis in (0, 1):  # no row or column is spared or hit as a whole
        assert dropped.float().mean(axis).std().item() < 0.03
    (y * 2).sum().backward()
    torch.testing.assert_close(x.grad, 2 * y.detach())


def test_dropout_does_nothing_when_evaluating_or_zero():
    x = torch.randn(5, 5)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0).train()(x) is x


def test_dropout_follows_the_seed():
    layer, x = Dropout(0.3).train(), torch.ones(100)
    torch.manual_seed(1)
    first = layer(x)
    assert not torch.equal(first, layer(x))
    torch.manual_seed(1)
    assert torch.equal(first, layer(x))


@pytest.mark.parametrize("causal", [False, True])
def test_attention_is_that_of_torch(causal):
    query, key, value = (torch.randn(3, 7, 16) for _ in range(3))

    def split(x):
        return x.view(3, 7, 4, 4).transpose(1, 2)

    expected = nn.functional.scaled_dot_product_attention(*map(split, (query, key, value)), is_causal=causal)
    actual = Attend(4, 0.0)(query, key, value, causal=causal)
    torch.testing.assert_close(actual, expected.transpose(1, 2).reshape(3, 7, 16))


def test_attention_heeds_only_what_is_allowed():
    query, key, value = torch.randn(2, 3, 8), torch.randn(2, 4, 8), torch.randn(2, 4, 8)
    allowed = torch.tensor([[True, True, False, False], [True, True, True, False]])
    actual = Attend(2, 0.0)(query, key, value, allowed=allowed)
    torch.testing.assert_close(actual[0], Attend(2, 0.0)(query[:1], key[:1, :2], value[:1, :2])[0])
    torch.testing.assert_close(actual[1], Attend(2, 0.0)(query[1:], key[1:, :3], value[1:, :3])[0])


@pytest.mark.parametrize("causal", [False, True])
def test_attention_in_blocks_of_rows_is_the_same_to_the_bit(monkeypatch, causal):
    allowed = None if causal else torch.rand(5, 7) < 0.7
    weight = torch.randn(5, 7, 16)
    found = []
    for held in (1 << 23, 2 * 4 * 7 * 7, 1):  # all rows at once, two, one
        monkeypatch.setattr(layers, "_SCORES", held)
        torch.manual_seed(0)
        inputs = [torch.randn(5, 7, 16, requires_grad=True) for _ in range(3)]
        out = Attend(4, 0.0)(*inputs, allowed=allowed, causal=causal)
        (out * weight).nansum().backward()
        with torch.no_grad():
            torch.testing.assert_close(Attend(4, 0.0)(*inputs, allowed=allowed, causal=causal), out, equal_nan=True)
        found.append([out.detach(), *(x.grad for x in inputs)])
    for others in found[1:]:
        for one, other in zip(found[0], others, strict=True):
            assert torch.equal(one.nan_to_num(), other.nan_to_num())


def test_dropout_of_blocks_is_the_same_backwards_and_follows_the_seed(monkeypatch):
    monkeypatch.setattr(layers, "_SCORES", 1)
    layer, query, key = Attend(2, 0.4).train(), torch.randn(4, 6, 8), torch.randn(4, 6, 8)
    value = torch.randn(4, 6, 8, requires_grad=True)
    out, weight = layer(query, key, value, causal=True), torch.randn(4, 6, 8)
    (out * weight).sum().backward()
    # Linear in the values as long as the same weights are dropped.
    torch.testing.assert_close((value * value.grad).sum(), (out * weight).sum())
    draws = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        draws.append(layer(query, key, value, causal=True))
    assert torch.equal(draws[0], draws[1]) and not torch.equal(draws[0], draws[2])


def test_attention_does_not_keep_the_scores_of_several_blocks(monkeypatch):
    kept = []
    query, key, value = (torch.randn(6, 32, 8, requires_grad=True) for _ in range(3))
    for held in (1 << 23, 32 * 32):
        monkeypatch.setattr(layers, "_SCORES", held)
        found: list[int] = []
        with torch.autograd.graph.saved_tensors_hooks(lambda x, to=found: to.append(x.numel()) or x, lambda x: x):
            Attend(1, 0.5).train()(query, key, value, causal=True).sum()
        kept.append(sum(found))
    assert kept[0] > 6 * 32 * 32 > kept[1]


def catalogue_of(untold):
    """Nine items with codes and texts; the items of these numbers have no text."""
    texts, present = torch.randn(9, 2, 6), torch.ones(9, 2, dtype=torch.bool)
    for item in untold:
        texts[item - 1], present[item - 1] = 0.0, False
    return Catalogue(9, torch.randint(5, (9, 4)), 5, texts, present, ("title", "brand"))


@pytest.mark.parametrize("with_ids", [True, False])
@pytest.mark.parametrize("name", ["text", "unisrec", "cocorec"])
def test_items_without_text_do_not_begin_where_gradients_have_no_bound(name, with_ids):
    catalogue = catalogue_of(untold=[2, 5])
    model = model_class(name).build(config_for(name, catalogue, with_ids=with_ids), catalogue).train()
    packing = Packing.of_lengths(torch.tensor([3, 2]))
    batch = Batch(torch.tensor([1, 2, 3, 5, 2]), packing, torch.tensor([1, 2, 4]), torch.tensor([3, 5, 9]))
    model.losses(batch, objective_of())["loss"].backward()
    gradients = {
        name: weights.grad.abs().max().item() for name, weights in model.named_parameters() if weights.grad is not None
    }
    assert max(gradients.values()) < 1e3, gradients


@pytest.mark.parametrize("name", ["text", "unisrec", "cocorec"])
def test_where_all_items_have_text_biases_begin_at_zero(name):
    catalogue = catalogue_of(untold=[])
    model = model_class(name).build(config_for(name, catalogue), catalogue)
    for module in model.modules():
        if isinstance(module, nn.Linear):
            assert not module.bias.any()
    assert name != "unisrec" or not model.encoder.mixture.bias.any()
