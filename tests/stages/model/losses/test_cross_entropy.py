import pytest
import torch
from torch.nn import functional as F

import stages.model.losses.cross_entropy as module
from stages.model.losses.cross_entropy import linear_cross_entropy


@pytest.fixture(autouse=True, params=[1 << 22, 30], ids=["whole", "chunks"])
def _chunk(request, monkeypatch):
    monkeypatch.setattr(module, "_CHUNK_SCORES", request.param)


@pytest.fixture
def problem():
    torch.manual_seed(0)
    queries = torch.randn(11, 4, dtype=torch.float64, requires_grad=True)
    table = torch.randn(7, 4, dtype=torch.float64, requires_grad=True)
    return queries, table, torch.randint(7, (11,))


def test_value_and_gradients(problem):
    queries, table, targets = problem
    actual = linear_cross_entropy(queries, table, targets, 0.3)
    expected = F.cross_entropy(queries @ table.T / 0.3, targets, reduction="sum")
    torch.testing.assert_close(actual, expected)
    for ours, theirs in zip(
        torch.autograd.grad(3 * actual, (queries, table)),
        torch.autograd.grad(3 * expected, (queries, table)),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs)


def test_gradcheck_with_groups(problem):
    queries, table, targets = problem
    column_groups = torch.stack([torch.arange(7) % 3, 10 + torch.arange(7) // 4], 1)
    row_groups = column_groups[targets]
    assert torch.autograd.gradcheck(
        lambda q, t: linear_cross_entropy(q, t, targets, 0.5, row_groups=row_groups, column_groups=column_groups),
        (queries, table),
    )


def test_columns_of_the_row_s_group_are_no_negatives(problem):
    queries, table, targets = problem
    column_groups = torch.stack([torch.arange(7) % 3, 10 + torch.arange(7) // 4], 1)
    row_groups = column_groups[targets]
    actual = linear_cross_entropy(queries, table, targets, 0.5, row_groups=row_groups, column_groups=column_groups)
    scores = queries @ table.T / 0.5
    left_out = (row_groups[:, None] == column_groups).any(2) & (torch.arange(7) != targets[:, None])
    expected = F.cross_entropy(scores.masked_fill(left_out, -torch.inf), targets, reduction="sum")
    torch.testing.assert_close(actual, expected)


def test_gradcheck_with_shifts(problem):
    queries, table, targets = problem
    # One pair is there twice: both entries count.
    rows = torch.tensor([0, 0, 3, 4, 4, 4, 4, 10])
    columns = torch.tensor([1, 6, 2, 0, 1, 5, 1, int(targets[10])])
    shifts = torch.randn(8, dtype=torch.float64, requires_grad=True)

    def shifted(q, t, s):
        return linear_cross_entropy(q, t, targets, 0.5, shift_at=(rows, columns), shifts=s)

    dense = torch.zeros(11, 7, dtype=torch.float64)
    dense.index_put_((rows, columns), shifts.detach(), accumulate=True)
    expected = F.cross_entropy((queries @ table.T + dense) / 0.5, targets, reduction="sum")
    torch.testing.assert_close(shifted(queries, table, shifts), expected)
    assert torch.autograd.gradcheck(shifted, (queries, table, shifts))
    assert torch.autograd.gradcheck(lambda s: shifted(queries.detach(), table.detach(), s), (shifts,))


def test_gradient_of_one_side_alone(problem):
    queries, table, targets = problem
    linear_cross_entropy(queries.detach(), table, targets, 0.5).backward()
    assert queries.grad is None
    assert table.grad is not None


def test_no_rows_cost_nothing():
    table = torch.randn(7, 4, requires_grad=True)
    total = linear_cross_entropy(torch.zeros(0, 4), table, torch.zeros(0, dtype=torch.int64), 0.3)
    total.backward()
    assert total.item() == 0
    assert not table.grad.any()
