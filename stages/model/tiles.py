"""A tile of scores, some users by all items: ranks of targets and the best items."""

import torch
from torch import Tensor


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


def ranks_of(scores: Tensor, targets: Tensor) -> Tensor:
    """Ranks (b,) from 1 of targets (b,) in hidden scores (b, N + 1), ties against the target.

    A target that is hidden itself stands behind all items, at N + 1.
    """
    at_target = scores.gather(1, targets[:, None])
    # Counts the target itself, so the best rank is 1; in int32, which takes half the time of int64.
    return (scores >= at_target).sum(1, dtype=torch.int32)


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
