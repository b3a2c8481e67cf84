"""The items nearest to an item by the cosine of their vectors, in bounded memory."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from stages.artifacts.errors import NotFiniteError
from stages.model.tiles import best, hide

_SCORES = 1 << 22
"""Cosines held at a time, 16 MiB."""


@torch.inference_mode()
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
    there = vectors.square().sum(1) > 0
    vectors = F.normalize(vectors, dim=-1)
    items = np.zeros((len(queries), top), np.int32)
    cosines = np.zeros((len(queries), top), np.float32)
    step = max(1, _SCORES // len(vectors))
    for low in range(0, len(queries), step):
        part = queries[low : low + step]
        scores = vectors[part] @ vectors.T
        if not scores.sum().isfinite():
            raise NotFiniteError("vectors of items are not finite", "Train or embed again.")
        hide(scores, (torch.arange(len(part), device=part.device), part), there)
        scores[~there[part]] = -torch.inf
        found, values = best(scores, top)
        items[low : low + step], cosines[low : low + step] = found.cpu().numpy(), values.cpu().numpy()
        progress(len(part))
    return items, cosines
