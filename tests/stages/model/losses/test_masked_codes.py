import pytest
import torch
from torch.nn import functional as F

from stages.model.losses.masked_codes import masked_code_modelling

N, POSITIONS, SIZE, DIM = 5, 3, 4, 6


def problem():
    torch.manual_seed(0)
    fused, table = torch.randn(N, POSITIONS, DIM), torch.randn(1 + POSITIONS * SIZE, DIM)
    rows = 1 + SIZE * torch.arange(POSITIONS) + torch.randint(SIZE, (N, POSITIONS))
    return fused, table, rows, torch.rand(N, POSITIONS) < 0.6


def test_masked_codes_within_their_position():
    torch.manual_seed(0)
    n, positions, size, d = 5, 3, 4, 6
    fused, table = torch.randn(n, positions, d), torch.randn(1 + positions * size, d)
    codes = torch.randint(size, (n, positions))
    rows = 1 + size * torch.arange(positions) + codes
    chosen = torch.rand(n, positions) < 0.6
    actual = masked_code_modelling(fused, table, rows, chosen, 0.1, mcm_softmax="position")
    terms = []
    for i, j in chosen.nonzero().tolist():
        own = F.normalize(table[1 + j * size : 1 + (j + 1) * size], dim=-1)
        terms.append(F.cross_entropy(own @ F.normalize(fused[i, j], dim=-1) / 0.1, codes[i, j]))
    torch.testing.assert_close(actual, torch.stack(terms).mean())


def test_masked_codes_within_the_whole_table():
    fused, table, rows, chosen = problem()
    actual = masked_code_modelling(fused, table, rows.int(), chosen, 0.1, mcm_softmax="table")
    scores = F.normalize(fused[chosen], dim=-1) @ F.normalize(table, dim=-1).T / 0.1
    torch.testing.assert_close(actual, F.cross_entropy(scores, rows[chosen]))


@pytest.mark.parametrize("softmax", ["position", "table"])
def test_codes_that_were_not_chosen_do_not_count(softmax):
    fused, table, rows, chosen = problem()
    before = masked_code_modelling(fused, table, rows, chosen, 0.1, mcm_softmax=softmax)
    fused = torch.where(chosen[..., None], fused, torch.randn_like(fused)).requires_grad_()
    after = masked_code_modelling(fused, table, rows, chosen, 0.1, mcm_softmax=softmax)
    after.backward()
    assert torch.equal(after.detach(), before)
    assert (fused.grad.abs().sum(2) > 0).equal(chosen)


@pytest.mark.parametrize("softmax", ["position", "table"])
def test_nothing_chosen_costs_nothing(softmax):
    fused, table, rows, chosen = problem()
    assert masked_code_modelling(fused, table, rows, chosen & False, 0.1, mcm_softmax=softmax).item() == 0
