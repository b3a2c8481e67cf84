import torch
from torch.nn import functional as F

from stages.model.losses.recommendation import recommendation


def problem():
    torch.manual_seed(0)
    return torch.randn(6, 5), torch.randn(9, 5), torch.randint(9, (6,))


def test_mean_cross_entropy_of_cosines():
    users, candidates, targets = problem()
    scores = F.normalize(users, dim=-1) @ F.normalize(candidates, dim=-1).T
    loss = recommendation(users, candidates, targets, 0.07)
    torch.testing.assert_close(loss, F.cross_entropy(scores / 0.07, targets))
    torch.testing.assert_close(recommendation(9 * users, 0.2 * candidates, targets, 0.07), loss)


def test_shifts_are_added_to_the_cosines():
    users, candidates, targets = problem()
    rows, columns, shifts = torch.tensor([0, 2, 2, 5]), torch.tensor([8, 0, 3, 1]), torch.tensor([0.5, -1, 2, 0.1])
    scores = F.normalize(users, dim=-1) @ F.normalize(candidates, dim=-1).T
    scores[rows, columns] += shifts
    loss = recommendation(users, candidates, targets, 0.07, shift_at=(rows, columns), shifts=shifts)
    torch.testing.assert_close(loss, F.cross_entropy(scores / 0.07, targets))


def test_a_candidate_may_be_shifted_for_everybody():
    users, candidates, targets = problem()
    shifts = torch.randn(9, requires_grad=True)
    scores = F.normalize(users, dim=-1) @ F.normalize(candidates, dim=-1).T + shifts
    expected = F.cross_entropy(scores / 0.07, targets)
    loss = recommendation(users, candidates, targets, 0.07, column_shifts=shifts)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(*(torch.autograd.grad(one, shifts)[0] for one in (loss, expected)))


def test_gradients_reach_both_sides():
    users, candidates, targets = problem()
    users.requires_grad_()
    candidates.requires_grad_()
    recommendation(users, candidates, targets, 0.07).backward()
    for vectors in (users, candidates):  # of a length that does not count
        assert (vectors.grad.abs().sum(1) > 0).all()
        torch.testing.assert_close((vectors.grad * vectors).sum(1), torch.zeros(len(vectors)), rtol=0, atol=1e-5)


def test_no_users_cost_nothing():
    _, candidates, targets = problem()
    assert recommendation(torch.zeros(0, 5), candidates, targets[:0], 0.07).item() == 0
