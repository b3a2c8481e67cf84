"""L_msa, masked sequence alignment: a history and its masked self find each other in the batch."""

import torch
from torch import Tensor
from torch.nn import functional as F

from stages.model.losses.cross_entropy import linear_cross_entropy


def masked_sequence_alignment(
    users: Tensor, masked_users: Tensor, temperature: float, *, groups: Tensor | None = None, own: slice | None = None
) -> Tensor:
    """Symmetric InfoNCE, the mean of the two directions.

    Args:
        users: u (R, d).
        masked_users: u~ (R, d), the same positions read from masked codes.
        temperature: 0.07 in the paper.
        groups: (R, G) integers of G kinds, for example users and next items; rows with the same group of any kind are
            no negatives of each other.
        own: which of the rows have to find themselves here; by default all.
    """
    users, masked_users = F.normalize(users, dim=-1), F.normalize(masked_users, dim=-1)
    goals = torch.arange(len(users), device=users.device)
    rows = slice(None) if own is None else own
    kinds = None if groups is None else groups[rows]
    forward = linear_cross_entropy(
        users[rows], masked_users, goals[rows], temperature, row_groups=kinds, column_groups=groups
    )
    backward = linear_cross_entropy(
        masked_users[rows], users, goals[rows], temperature, row_groups=kinds, column_groups=groups
    )
    return (forward + backward) / (2 * max(1, len(users)))
