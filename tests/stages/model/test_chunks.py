import pytest
import torch

from stages.model import chunks
from stages.model.chunks import in_chunks

WIDTH, LAYERS = 4, 2


def setting():
    torch.manual_seed(0)
    weight = torch.randn(12, WIDTH, dtype=torch.float64, requires_grad=True)
    items, factors = torch.randint(12, (11,)), torch.rand(11, 1, dtype=torch.float64)
    sizes = []

    def encode(items, factors):
        sizes.append(len(items))
        return torch.tanh(weight[items]) * factors, weight[items].square()

    return weight, items, factors, encode, sizes


def whole_chunks(kept_items):
    """Bytes that keep so many items."""
    return kept_items * chunks._BYTES * LAYERS * WIDTH


@pytest.mark.parametrize(
    ("kept", "size", "expected", "again"),
    [
        (100, 100, [11], []),  # all at once
        (100, 3, [3, 3, 3, 2], []),
        (7, 3, [3, 3, 3, 2], [3, 2]),  # two chunks are kept
        (0, 5, [5, 5, 1], [5, 5, 1]),
        (100, 0, [1] * 11, []),  # an item wider than a chunk
    ],
)
def test_chunks_change_neither_values_nor_gradients(monkeypatch, kept, size, expected, again):
    monkeypatch.setattr(chunks, "_KEPT_ON_CPU", whole_chunks(kept))
    monkeypatch.setattr(chunks, "_CACHED", size * WIDTH)
    weight, items, factors, encode, sizes = setting()
    (wanted,) = torch.autograd.grad(sum(part.sum() for part in encode(items, factors)), weight)
    plain = encode(items, factors)
    sizes.clear()
    found = in_chunks(encode, items, factors, width=WIDTH, layers=LAYERS)
    assert sizes == expected
    for ours, theirs in zip(found, plain, strict=True):
        assert torch.equal(ours, theirs)
    (gradient,) = torch.autograd.grad(sum(part.sum() for part in found), weight)
    torch.testing.assert_close(gradient, wanted)
    assert sorted(sizes[len(expected) :]) == sorted(again)


def test_a_single_item_that_is_not_kept(monkeypatch):
    monkeypatch.setattr(chunks, "_KEPT_ON_CPU", 0)
    _, items, factors, encode, sizes = setting()
    one, two = in_chunks(encode, items[:1], factors[:1], width=WIDTH, layers=LAYERS)
    assert (one.shape, two.shape, sizes) == ((1, WIDTH), (1, WIDTH), [1])
