import pytest
import torch
from torch import nn

from stages.model.layers import Attend, Dropout


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
