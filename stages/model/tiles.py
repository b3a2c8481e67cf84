"""A tile of scores, some users by all items: ranks of targets and the best items."""

import torch
from torch import Tensor

LEAST_ROWS = 8
"""Rows of a matrix product on a CPU; see :func:`product`."""


def hide(scores: Tensor, seen: tuple[Tensor, Tensor] | None = None, allowed: Tensor | None = None) -> None:
    """Put what must not be ranked behind everything, in place: item 0, which is no item, and what is given here.

    Args:
        scores: (b, N + 1) by item number.
        seen: rows of the tile (p,) and, for each, an item (p,) that this row's user has seen; in any order, repeated
            or not.
        allowed: (N + 1,) bool by item number; the others are hidden.
    """
    scores[:, 0] = -torch.inf
    if allowed is not None:
        scores.masked_fill_(~allowed, -torch.inf)
    if seen is not None:
        scores[seen] = -torch.inf


def product(users: Tensor, candidates: Tensor) -> Tensor:
    """Inner products (b, N + 1) of vectors (b, d) with those of all items (N + 1, d).

    With one thread of a CPU a row has the same bits whether it is multiplied alone or among others, so that a server
    answers what a run over all users writes: for a few rows the libraries take other kernels, which add in another
    order. Several threads divide the rows, and may do so after all.
    """
    missing = LEAST_ROWS - len(users) if users.device.type == "cpu" else 0
    if missing <= 0:
        return users @ candidates.T
    return (torch.cat([users, users.new_zeros(missing, users.shape[1])]) @ candidates.T)[: len(users)]


def all_finite(scores: Tensor) -> Tensor:
    """Whether all hidden scores (b, N + 1) of items are finite, as a scalar on their device."""
    # A sum is NaN or infinite as soon as one of its terms is, and reads the tile once.
    return scores[:, 1:].sum().isfinite()


def ranks_of(scores: Tensor, targets: Tensor) -> Tensor:
    """Ranks (b,) from 1 of targets (b,) in hidden scores (b, N + 1), ties against the target."""
    at_target = scores.gather(1, targets[:, None])
    # Counts the target itself, so the best rank is 1; in int32, which takes half the time of int64.
    return (scores >= at_target).sum(1, dtype=torch.int32)


def ties_of(scores: Tensor, targets: Tensor) -> Tensor:
    """How many other items (b,) score as targets (b,) do in hidden scores (b, N + 1)."""
    return (scores == scores.gather(1, targets[:, None])).sum(1, dtype=torch.int32) - 1


def without_seen(
    scores: Tensor, targets: Tensor, ranks: Tensor, ties: Tensor, seen: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    """Ranks and ties of targets when items that have been seen are not ranked; looks at the seen items alone.

    Args:
        scores: (b, N + 1) hidden scores, with what has been seen.
        targets: (b,).
        ranks: (b,) of :func:`ranks_of` among all items.
        ties: (b,) of :func:`ties_of` among all items.
        seen: as of :func:`hide`.

    Returns:
        Ranks (b,) from 1 and ties (b,). A target that has been seen itself stands behind all items, at N + 1, alone.
    """
    width = scores.shape[1]
    pairs = torch.unique(seen[0] * width + seen[1])  # an item counts once, however often it occurs in a history
    rows, items = pairs // width, pairs % width
    score, at_target = scores.view(-1)[pairs], scores.gather(1, targets[:, None])[rows, 0]
    ranks = ranks.index_add(0, rows, (score >= at_target).to(ranks.dtype), alpha=-1)
    ties = ties.index_add(0, rows, (score == at_target).to(ties.dtype), alpha=-1)
    itself = rows[items == targets[rows]]
    ranks[itself], ties[itself] = width, 0
    return ranks, ties


def best(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k best items of each row, best first, equal scores in the order of the item numbers.

    Args:
        scores: (b, N + 1) hidden scores.
        k: from 1 to N.

    Returns:
        Item numbers (b, k), 0 where a row has fewer items that are not hidden, and their scores (b, k).
    """
    values, items = scores.topk(k + 1)
    # Which of several equal items topk takes is not defined. It matters where the last one taken equals the next.
    cut = (values[:, k - 1] == values[:, k]) & (values[:, k] > -torch.inf)
    values, items = values[:, :k], items[:, :k]
    rows = cut.nonzero()[:, 0]
    if len(rows):
        ordered, order = scores[rows].sort(dim=1, descending=True, stable=True)
        values[rows], items[rows] = ordered[:, :k], order[:, :k]
    items, order = items.sort(dim=1)
    values, order = values.gather(1, order).sort(dim=1, descending=True, stable=True)
    return items.gather(1, order).masked_fill(values == -torch.inf, 0), values
