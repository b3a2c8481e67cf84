import pytest
import torch

from stages.model.masking import CodeMasking

K, C = 16, 5


@pytest.fixture
def rows():
    torch.manual_seed(0)
    codes = torch.randint(K, (20_000, C), dtype=torch.int32)
    return 1 + K * torch.arange(C, dtype=torch.int32) + codes


def test_shares(rows):
    masked, chosen = CodeMasking(ratio=0.5)(rows, K)
    share = chosen.float().mean().item()
    assert share == pytest.approx(0.5, abs=0.01)
    became_mask = (masked == 0)[chosen].float().mean().item()
    assert became_mask == pytest.approx(0.8, abs=0.01)
    changed = ((masked != rows) & (masked != 0))[chosen].float().mean().item()
    assert changed == pytest.approx(0.1 * (1 - 1 / K), abs=0.01)


def test_codes_that_were_not_chosen_stay(rows):
    masked, chosen = CodeMasking(ratio=0.3)(rows, K)
    assert torch.equal(masked[~chosen], rows[~chosen])


def test_random_codes_are_of_the_same_position(rows):
    masked, _ = CodeMasking(ratio=1.0, mask_share=0.0, random_share=1.0)(rows, K)
    position = (masked - 1) // K
    assert torch.equal(position, torch.arange(C).expand_as(position).to(position.dtype))
    assert len(masked[:, 2].unique()) == K
    assert masked.dtype == rows.dtype
