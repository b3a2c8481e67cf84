"""Groups of targets that a recommender may serve unequally: by popularity of the item and by length of the history."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]

POPULARITY_GROUPS = ("unseen", "cold", "tail", "head")
"""``unseen``: not once in training; ``cold``: up to :data:`COLD` times; ``head``: the most popular items that together
make up :data:`HEAD_SHARE` of the interactions in training; ``tail``: those between."""

COLD = 4
HEAD_SHARE = 0.5


def popularity_bounds(counts: Integers) -> list[int]:
    """How often an item occurs in training, at least, to belong to each of :data:`POPULARITY_GROUPS`.

    For the head, items are taken in order of popularity until they make up the share; items as popular as the last
    one taken belong to it as well. An item with hardly any interactions is cold, however few the others have.

    Args:
        counts: (N,) interactions of each item in training.
    """
    ordered = np.sort(counts)[::-1]
    taken = np.cumsum(ordered)
    head = int(ordered[np.searchsorted(taken, HEAD_SHARE * taken[-1])]) if len(taken) and taken[-1] else 0
    return [0, 1, COLD + 1, max(COLD + 1, head)]


def popularity_group(counts: Integers, bounds: Sequence[int]) -> Integers:
    """Index into :data:`POPULARITY_GROUPS` of items with these counts, given :func:`popularity_bounds`; same shape."""
    return np.searchsorted(np.asarray(bounds[1:]), counts, side="right")


def length_group(lengths: Integers, bounds: Sequence[int]) -> tuple[Integers, list[str]]:
    """Which bucket each history falls into.

    Args:
        lengths: (R,) items in the history.
        bounds: ascending; the longest history of each bucket but the last, which is open.

    Returns:
        (R,) index of the bucket, and the names of the buckets such as ``1-5``, ``6-10``, ``11+``.
    """
    lows = [1, *(bound + 1 for bound in bounds)]
    names = [f"{low}-{high}" if low < high else f"{low}" for low, high in zip(lows, bounds, strict=False)]
    return np.searchsorted(np.asarray(bounds), lengths, side="left"), [*names, f"{lows[-1]}+"]
