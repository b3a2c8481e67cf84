"""Softmax cross-entropy of inner products, without ever holding all the scores."""

from typing import Any

import torch
from torch import Tensor

_CHUNK_SCORES = 1 << 22
"""Scores held at a time on a CPU: 16 MiB in float32, which stays near its caches."""

_ON_DEVICE = 32
"""Times as many on other devices, 512 MiB: each chunk reads all vectors, gigabytes of a large catalogue."""


class _LinearCrossEntropy(torch.autograd.Function):
    """Takes the gradients chunk by chunk in the forward pass, so that no score is kept for the backward pass."""

    @staticmethod
    def forward(
        ctx: Any,
        queries: Tensor,
        table: Tensor,
        targets: Tensor,
        temperature: float,
        row_groups: Tensor | None,
        column_groups: Tensor | None,
        shift_at: tuple[Tensor, Tensor] | None,
        shifts: Tensor | None,
    ) -> Tensor:
        with torch.autocast(queries.device.type, enabled=False):
            total = torch.zeros((), dtype=torch.promote_types(queries.dtype, torch.float32), device=queries.device)
            d_queries = torch.empty_like(queries) if ctx.needs_input_grad[0] else None
            d_table = torch.zeros_like(table, dtype=total.dtype) if ctx.needs_input_grad[1] else None
            d_shifts = torch.zeros_like(shifts) if shifts is not None and ctx.needs_input_grad[7] else None
            step = max(1, chunk_scores(queries.device.type) // max(1, len(table)))
            bounds = _bounds(shift_at, len(queries), step)
            for number, start in enumerate(range(0, len(queries), step)):
                part = slice(start, start + step)
                rows = queries[part]
                # Flat places of the targets: indexing by them is many times faster than scatter along a dimension.
                goal = targets[part] + torch.arange(len(rows), device=rows.device) * len(table)
                scores = (rows @ table.T).to(total.dtype)
                if shifts is not None and shift_at is not None:
                    here = slice(bounds[number], bounds[number + 1])
                    shifted = (shift_at[0][here] - start) * len(table) + shift_at[1][here]
                    scores.view(-1).index_add_(0, shifted, shifts[here].to(total.dtype))
                scores.div_(temperature)
                if row_groups is not None and column_groups is not None:
                    same = _share_a_group(row_groups[part], column_groups)
                    same.view(-1).index_fill_(0, goal, False)
                    scores.masked_fill_(same, -torch.inf)
                at_goal = scores.view(-1).index_select(0, goal)[:, None]
                norm = torch.logsumexp(scores, 1, keepdim=True)
                total += (norm - at_goal).sum()
                if d_queries is None and d_table is None and d_shifts is None:
                    continue
                share = scores.sub_(norm).exp_()  # becomes the gradient of the scores, in place
                share.view(-1).index_add_(0, goal, share.new_full((len(rows),), -1.0))
                share = share.div_(temperature)
                if d_shifts is not None:
                    d_shifts[here] = share.view(-1).index_select(0, shifted).to(d_shifts.dtype)
                share = share.to(queries.dtype)
                if d_queries is not None:
                    torch.mm(share, table, out=d_queries[part])
                if d_table is not None:
                    d_table += share.T @ rows
        ctx.save_for_backward(d_queries, None if d_table is None else d_table.to(table.dtype), d_shifts)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        d_queries, d_table, d_shifts = (
            None if saved is None else saved * grads[0].to(saved.dtype) for saved in ctx.saved_tensors
        )
        return d_queries, d_table, None, None, None, None, None, d_shifts


def chunk_scores(device: str) -> int:
    """How many scores are held at a time on a type of device."""
    return _CHUNK_SCORES if device == "cpu" else _ON_DEVICE * _CHUNK_SCORES


def _share_a_group(row_groups: Tensor, column_groups: Tensor) -> Tensor:
    """(r, n): whether row and column have any of their G groups in common."""
    same = row_groups[:, None, 0] == column_groups[None, :, 0]
    for kind in range(1, row_groups.shape[1]):
        same |= row_groups[:, None, kind] == column_groups[None, :, kind]
    return same


def _bounds(shift_at: tuple[Tensor, Tensor] | None, rows: int, step: int) -> list[int]:
    """Which shifts belong to each chunk of rows: those from one bound to the next."""
    if shift_at is None:
        return []
    starts = torch.arange(0, rows + step, step, device=shift_at[0].device)
    return torch.searchsorted(shift_at[0].contiguous(), starts).tolist()


def linear_cross_entropy(
    queries: Tensor,
    table: Tensor,
    targets: Tensor,
    temperature: float,
    *,
    row_groups: Tensor | None = None,
    column_groups: Tensor | None = None,
    shift_at: tuple[Tensor, Tensor] | None = None,
    shifts: Tensor | None = None,
) -> Tensor:
    """Sum over rows of ``-log softmax(queries @ table.T / temperature)[targets]``.

    The scores are formed in chunks, in float32 or better, so that memory grows with neither rows nor columns alone.

    Args:
        queries: (R, d).
        table: (n, d).
        targets: (R,) column of each row's target.
        temperature: divides the inner products.
        row_groups: (R, G) integers, of G kinds; a column of the same group as the row in any kind is no negative of it.
        column_groups: (n, G) integers; give both or neither.
        shift_at: (P,) rows, ascending, and (P,) columns of inner products to shift; a pair may be there several times.
        shifts: (P,) what is added there, before the division by the temperature; give both or neither.

    Returns:
        A scalar; gradients flow into ``queries``, ``table`` and ``shifts``.
    """
    total: Tensor = _LinearCrossEntropy.apply(  # type: ignore[no-untyped-call]
        queries, table, targets, temperature, row_groups, column_groups, shift_at, shifts
    )
    return total
