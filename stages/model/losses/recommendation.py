"""L_rec: the next item among all items, or among sampled ones."""

import torch
from torch import Tensor
from torch.nn import functional as F

from stages.model.losses.cross_entropy import linear_cross_entropy


def recommendation(
    users: Tensor,
    candidates: Tensor,
    targets: Tensor,
    temperature: float,
    *,
    shift_at: tuple[Tensor, Tensor] | None = None,
    shifts: Tensor | None = None,
    column_shifts: Tensor | None = None,
    count: int | None = None,
) -> Tensor:
    """Mean cross-entropy of the next item.

    Args:
        users: u (R, d), one row per position with a target.
        candidates: v (n, d).
        targets: (R,) row of ``candidates`` that holds each position's next item.
        temperature: 0.07 in the paper.
        shift_at, shifts: where and by how much similarities are shifted, see :func:`linear_cross_entropy`.
        column_shifts: (n,) by how much each candidate's similarities are shifted.
        count: by what the sum is divided; by default R.
    """
    users, candidates = F.normalize(users, dim=-1), F.normalize(candidates, dim=-1)
    if column_shifts is not None:
        users = F.pad(users, (0, 1), value=1.0)
        candidates = torch.cat([candidates, column_shifts[:, None].to(candidates.dtype)], 1)
    total = linear_cross_entropy(users, candidates, targets, temperature, shift_at=shift_at, shifts=shifts)
    return total / max(1, len(users) if count is None else count)
