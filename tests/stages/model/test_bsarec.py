import numpy as np
import pytest
import torch
from models import config_of

from stages.model.bsarec import ALPHA, FREQUENCIES, BSARec, FrequencyFilter, low_pass
from stages.model.packing import Packing


def transformed(history):
    """The original's low-pass of a history (n, d), by a plain transform, selection and inverse transform."""
    n = len(history)
    place = np.arange(n)
    spectrum = np.exp(-2j * np.pi * np.outer(place, place) / n) @ history
    distance = np.minimum(place, n - place)  # frequency k is as low as n - k
    spectrum[distance > FREQUENCIES // 2] = 0
    back = np.exp(2j * np.pi * np.outer(place, place) / n) @ spectrum / n
    assert np.abs(back.imag).max() < 1e-9
    return back.real


def test_each_position_is_filtered_as_the_last_of_its_prefix():
    x = np.random.default_rng(0).normal(size=(30, 4))
    expected = np.stack([transformed(x[: p + 1])[-1] for p in range(len(x))])
    np.testing.assert_allclose(low_pass(30).double().numpy() @ x, expected, atol=1e-5)


def test_the_selection_is_that_of_a_real_transform_with_three_frequencies():
    x = torch.randn(17, 2, dtype=torch.float64)
    spectrum = torch.fft.rfft(x, dim=0)
    spectrum[3:] = 0
    np.testing.assert_allclose(transformed(x.numpy()), torch.fft.irfft(spectrum, n=17, dim=0).numpy(), atol=1e-12)


def test_short_histories_have_no_high_frequencies():
    assert torch.allclose(low_pass(FREQUENCIES), torch.eye(FREQUENCIES), atol=1e-6)
    assert not torch.allclose(low_pass(6)[5], torch.eye(6)[5], atol=0.05)


def test_a_longer_history_leaves_the_matrix_of_a_shorter_one():
    assert torch.equal(low_pass(20)[:8, :8], low_pass(8))
    assert torch.equal(low_pass(20), low_pass(20).tril())
    # What does not change along the history passes whole.
    torch.testing.assert_close(low_pass(20).sum(1), torch.ones(20))


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
def test_what_is_high_is_scaled_by_the_square_of_beta(beta):
    torch.manual_seed(0)
    filtering = FrequencyFilter(config_of("sasrec", 10)).eval()
    lengths = torch.tensor([9, 2, 13])
    x = torch.randn(int(lengths.sum()), 16)
    with torch.no_grad():
        filtering.beta.fill_(beta)
        found = filtering(x, Packing.of_lengths(lengths), low_pass(13))
    for part, own in zip(x.split(lengths.tolist()), found.split(lengths.tolist()), strict=True):
        low = low_pass(13)[: len(part), : len(part)] @ part
        expected = torch.nn.functional.layer_norm(part + low + beta**2 * (part - low), (16,), eps=1e-12)
        torch.testing.assert_close(own, expected)


def test_a_layer_mixes_filter_and_attention():
    torch.manual_seed(0)
    backbone = BSARec(config_of("sasrec", 10, layers=1, max_history=8)).eval()
    (layer,) = backbone.layers
    packing = Packing.of_lengths(torch.tensor([8]))
    x, matrix = torch.randn(8, 16), low_pass(8)
    query, key, value = layer.qkv(x)[None].chunk(3, -1)
    attended = layer.out(layer.attend(query, key, value, causal=True)[0], x)
    mixed = ALPHA * layer.filter(x, packing, matrix) + (1 - ALPHA) * attended
    torch.testing.assert_close(layer(x, packing, matrix), layer.feed_forward(mixed))


def test_every_weight_learns():
    torch.manual_seed(0)
    backbone = BSARec(config_of("sasrec", 10, max_history=8, dropout=0.1)).train()
    backbone(torch.randn(12, 16), Packing.of_lengths(torch.tensor([8, 4])))[:, 0].sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in backbone.parameters())
