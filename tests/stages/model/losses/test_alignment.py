import pytest
import torch
from torch.nn import functional as F

from stages.model.losses.alignment import masked_sequence_alignment


def test_alignment_without_other_targets_is_plain_info_nce():
    torch.manual_seed(0)
    users, masked = torch.randn(6, 5), torch.randn(6, 5)
    plain = masked_sequence_alignment(users, masked, 0.2)
    assert torch.equal(plain, masked_sequence_alignment(users, masked, 0.2, groups=torch.arange(6)[:, None]))
    scores = F.normalize(users, dim=-1) @ F.normalize(masked, dim=-1).T / 0.2
    own = torch.arange(6)
    torch.testing.assert_close(plain, (F.cross_entropy(scores, own) + F.cross_entropy(scores.T, own)) / 2)
    # When all share the next item nothing is left to tell apart.
    assert masked_sequence_alignment(users, masked, 0.2, groups=torch.zeros(6, 1)).item() == pytest.approx(0, abs=1e-6)


def test_only_directions_count_and_both_sides_alike():
    torch.manual_seed(0)
    users, masked = torch.randn(6, 5), torch.randn(6, 5)
    loss = masked_sequence_alignment(users, masked, 0.2)
    torch.testing.assert_close(masked_sequence_alignment(3 * users, 0.1 * masked, 0.2), loss)
    torch.testing.assert_close(masked_sequence_alignment(masked, users, 0.2), loss)


def test_rows_of_a_group_are_no_negatives_of_each_other():
    torch.manual_seed(0)
    users, masked = torch.randn(5, 4), torch.randn(5, 4)
    groups = torch.tensor([[0, 7], [0, 8], [1, 8], [2, 9], [3, 6]])
    own = torch.arange(5)
    apart = torch.ones(5, 5, dtype=torch.bool)
    for one, other in ((0, 1), (1, 2)):  # of one user, and of one next item
        apart[one, other] = apart[other, one] = False
    scores = F.normalize(users, dim=-1) @ F.normalize(masked, dim=-1).T / 0.2
    scores = scores.masked_fill(~apart, -torch.inf)
    expected = (F.cross_entropy(scores, own) + F.cross_entropy(scores.T, own)) / 2
    torch.testing.assert_close(masked_sequence_alignment(users, masked, 0.2, groups=groups), expected)


def test_an_empty_batch_costs_nothing():
    assert masked_sequence_alignment(torch.zeros(0, 4), torch.zeros(0, 4), 0.2).item() == 0


def test_parts_of_the_rows_add_up_to_all():
    torch.manual_seed(0)
    users, masked, groups = torch.randn(7, 4), torch.randn(7, 4), torch.tensor([0, 0, 1, 2, 3, 3, 4])[:, None]
    whole = masked_sequence_alignment(users, masked, 0.2, groups=groups)
    parts = [
        masked_sequence_alignment(users, masked, 0.2, groups=groups, own=own)
        for own in (slice(0, 3), slice(3, 3), slice(3, 7))
    ]
    torch.testing.assert_close(sum(parts), whole)
