"""L_mcm, masked code modelling: the true code at each chosen position, from the fused codes."""

import torch
from torch import Tensor
from torch.nn import functional as F

from stages.model.losses.cross_entropy import linear_cross_entropy


def masked_code_modelling(
    fused: Tensor,
    table: Tensor,
    rows: Tensor,
    chosen: Tensor,
    temperature: float,
    *,
    mcm_softmax: str,
    count: Tensor | None = None,
) -> Tensor:
    """Mean cross-entropy of the true codes at the chosen positions.

    Args:
        fused: Q~ (n, C, d), the masked items after fusion.
        table: E (1 + C K, d), row 0 is [MASK].
        rows: (n, C) rows of ``table`` that hold the true codes.
        chosen: (n, C) which codes were chosen for masking.
        temperature: 0.07 in the paper.
        mcm_softmax: ``position`` ranks a code against the K codes of its own position, the only ones that can stand
            there; ``table`` against the whole table, [MASK] included, as the authors do, which costs C times as much.
        count: () by what the sum is divided; by default how many are chosen.
    """
    table = F.normalize(table, dim=-1)
    if mcm_softmax == "table":
        total = linear_cross_entropy(F.normalize(fused[chosen], dim=-1), table, rows[chosen].long(), temperature)
        return total / (max(1, int(chosen.sum())) if count is None else count)
    size = (len(table) - 1) // fused.shape[1]
    # Ordered by position, so that one look at the device tells where each position's codes begin.
    position, item = chosen.T.nonzero(as_tuple=True)
    queries = F.normalize(fused[item, position], dim=-1)
    goals = rows[item, position].long() - 1 - size * position
    total = fused.new_zeros((), dtype=torch.promote_types(fused.dtype, torch.float32))
    start = 0
    for j, here in enumerate(chosen.sum(0).tolist()):
        part = slice(start, start + here)
        codes = table[1 + j * size : 1 + (j + 1) * size]
        total = total + linear_cross_entropy(queries[part], codes, goals[part], temperature)
        start += here
    return total / (max(1, start) if count is None else count)
