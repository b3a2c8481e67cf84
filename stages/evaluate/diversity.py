"""Intra-list diversity: how much the items of a recommendation list differ in what their texts say."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F

from stages.artifacts.vectors import embedding_views, read_view

_FLOATS = 1 << 24
"""Numbers of list vectors held at a time, 64 MiB."""

_TINY = float(np.finfo(np.float32).tiny)


def intra_list_diversity(path: Path, lists: npt.NDArray[np.int32]) -> float | None:
    """One minus the mean pairwise cosine of the items in a list, averaged over the lists.

    The vector of an item is made of its text vectors as they come from the encoder, not whitened: each view it has
    is scaled to length one, and they stand side by side, zero where a view is missing. So the cosine of two items
    that have all views is the mean of the cosines of the views, whatever dimensions these have. Items without any
    text are left out, and lists with fewer than two others.

    Args:
        path: ``embeddings.parquet``; one view is held at a time.
        lists: (U, k) item numbers; 0 where a list is shorter.

    Returns:
        From 0, all the same, to 2; ``None`` where no list holds two items with texts.

    Reference: Ziegler et al., Improving recommendation lists through topic diversification, WWW 2005; with cosines
    as in Vargas and Castells, Rank and relevance in novelty and diversity metrics, RecSys 2011.
    """
    views = embedding_views(path)
    views_of = np.add.reduce([_norms(read_view(path, view)[0]) > 0 for view in views], dtype=np.int64)
    squares = np.zeros(len(lists))
    for view, dimension in views.items():
        matrix = read_view(path, view)[0]
        scale = 1 / (np.maximum(_norms(matrix), _TINY) * np.sqrt(np.maximum(views_of, 1)))
        table = np.zeros((len(matrix) + 1, dimension), np.float32)
        np.multiply(matrix, scale[:, None], out=table[1:], casting="same_kind")
        squares += _squared_sums(torch.from_numpy(table), lists)
    # Vectors have length one, so |sum|^2 is their number plus the cosines of all ordered pairs.
    with_text = np.concatenate([[False], views_of > 0])[lists].sum(axis=1)
    several = with_text > 1
    if not several.any():
        return None
    n, total = with_text[several], squares[several]
    return float((1 - (total - n) / (n * (n - 1))).mean())


def _norms(matrix: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    squares: npt.NDArray[np.float32] = np.einsum("nd,nd->n", matrix, matrix)
    return np.sqrt(squares)


def _squared_sums(table: torch.Tensor, lists: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
    """Squared length (U,) of the sum of each list's vectors, given those of all items (N + 1, D)."""
    squares = np.empty(len(lists))
    step = max(1, _FLOATS // table.shape[1])
    for low in range(0, len(lists), step):
        part = slice(low, low + step)
        sums = F.embedding_bag(torch.from_numpy(lists[part].astype(np.int64)), table, mode="sum", padding_idx=0)
        squares[part] = sums.double().square().sum(1).numpy()
    return squares
