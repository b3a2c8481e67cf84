"""Counts of item pairs in histories, weighted by how far apart they stand; shared by all that counts such pairs."""

from dataclasses import dataclass

import torch
from torch import Tensor

from stages.artifacts.sequences import Sequences
from stages.model.base import training_items

DISTANCE = -0.5
"""A pair d items apart counts d to this power."""


@dataclass(frozen=True)
class WeightedPairs:
    """Which items stood near each other in the training part of the histories.

    Attributes:
        keys: (F,) int64, ``i (N + 1) + j`` for items i and j, ascending.
        times: (F,) float64, sum over their meetings; a pair counts fully to the later item j and with the weight
            ``backward`` to the earlier one.
        occurrences: (N + 1,) float32, how often each item occurred.
        backward: () in [0, 1], 1 where the order says nothing.
    """

    keys: Tensor
    times: Tensor
    occurrences: Tensor
    backward: Tensor


def weighted_pairs(sequences: Sequences, n: int, furthest: int) -> WeightedPairs:
    """Count pairs; one distance at a time, so that the meetings are never all held at once.

    Args:
        sequences: all histories.
        n: N, size of the catalogue.
        furthest: longest distance of a pair, in items.
    """
    items, user = training_items(sequences)
    backward = backward_weight(items, user, n)
    keys, times = torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.float64)
    for distance in range(1, min(furthest, len(items) - 1) + 1):
        same = user[distance:] == user[:-distance]
        if not same.any():
            break
        earlier, later = items[:-distance][same], items[distance:][same]
        found = torch.cat([earlier * (n + 1) + later, later * (n + 1) + earlier])
        weights = torch.full((2, len(earlier)), distance**DISTANCE, dtype=torch.float64)
        weights[1] *= backward
        keys, times = _summed(torch.cat([keys, found]), torch.cat([times, weights.flatten()]))
    return WeightedPairs(keys, times, torch.bincount(items, minlength=n + 1).float(), backward)


def backward_weight(items: Tensor, user: Tensor, n: int) -> Tensor:
    """How often pairs of neighbours are met again in the reverse order, to how often in the same one; () in [0, 1].

    It is 1 where order says nothing, and lower the more it says; 1 as well where no pair is ever met again.
    """
    next_to = (user[1:] == user[:-1]) & (items[1:] != items[:-1])
    earlier, later = items[:-1][next_to], items[1:][next_to]
    pairs, count = torch.unique(earlier * (n + 1) + later, sorted=True, return_counts=True)
    reverse = pairs % (n + 1) * (n + 1) + pairs // (n + 1)
    place = torch.searchsorted(pairs, reverse).clamp_(max=max(0, len(pairs) - 1))
    reversed_count = torch.where(pairs[place] == reverse, count[place], 0)
    same, opposite = int((count * (count - 1)).sum()), int((count * reversed_count).sum())
    return torch.tensor(min(1.0, opposite / same) if same else 1.0)


def _summed(pairs: Tensor, times: Tensor) -> tuple[Tensor, Tensor]:
    """Distinct pairs, ascending, and the sum of the weights of each."""
    distinct, place = torch.unique(pairs, sorted=True, return_inverse=True)
    return distinct, torch.zeros(len(distinct), dtype=times.dtype).index_add_(0, place, times)
