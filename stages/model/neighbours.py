"""The items nearest to an item by the cosine of their vectors, in bounded memory."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from stages.artifacts.errors import NotFiniteError
from stages.model.tiles import best, hide, product

_SCORES = 1 << 22
"""Cosines held at a time, 16 MiB."""


class Neighbours:
    """The items of a catalogue by the directions of their vectors, to be asked again and again.

    Args:
        vectors: (N + 1, d) by item number, of any length; row 0 is no item. What has no length has no vector.
    """

    @torch.inference_mode()
    def __init__(self, vectors: Tensor) -> None:
        self._there = vectors.square().sum(1) > 0
        self._directions = F.normalize(vectors, dim=-1)

    @torch.inference_mode()
    def nearest(
        self, queries: Tensor, *, top: int, progress: Callable[[int], None] = lambda done: None
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """See :func:`nearest`."""
        items = np.zeros((len(queries), top), np.int32)
        cosines = np.zeros((len(queries), top), np.float32)
        step = max(1, _SCORES // len(self._directions))
        for low in range(0, len(queries), step):
            part = queries[low : low + step]
            scores = product(self._directions[part], self._directions)
            if not scores.sum().isfinite():
                raise NotFiniteError("vectors of items are not finite", "Train or embed again.")
            hide(scores, (torch.arange(len(part), device=part.device), part), self._there)
            scores[~self._there[part]] = -torch.inf
            found, values = best(scores, top)
            items[low : low + step], cosines[low : low + step] = found.cpu().numpy(), values.cpu().numpy()
            progress(len(part))
        return items, cosines


def nearest(
    vectors: Tensor, queries: Tensor, *, top: int, progress: Callable[[int], None] = lambda done: None
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """The items most like some items; an item is no neighbour of itself, and what has no vector is nobody's.

    Args:
        vectors: (N + 1, d) by item number, of any length; row 0 is no item.
        queries: (Q,) item numbers.
        top: k, from 1 to N.
        progress: called with how many more rows are done.

    Returns:
        Item numbers (Q, k), nearest first, equal cosines in the order of the numbers, 0 where there are fewer; cosines
        (Q, k).

    Raises:
        NotFiniteError: when a vector is NaN or infinite.
    """
    return Neighbours(vectors).nearest(queries, top=top, progress=progress)
