"""The texts of items as vectors whose cosines weigh all views equally."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stages.artifacts.vectors import embedding_views, read_view

_TINY = float(np.finfo(np.float32).tiny)


def text_vectors(path: Path) -> Tensor:
    """View vectors of length one side by side, zero where a view is missing, (N + 1, D); row 0 is no item.

    The cosine of two items that have all views is the mean of the cosines of the views. All views are held at once, D
    being the sum of their dimensions.

    Args:
        path: ``embeddings.parquet``.

    Raises:
        DataError: when the file is missing, damaged or breaks the contract.
    """
    views = embedding_views(path)
    vectors, at = np.zeros((0, 0), np.float32), 0
    for view, dimension in views.items():
        matrix = read_view(path, view)[0]
        if not at:
            vectors = np.zeros((len(matrix) + 1, sum(views.values())), np.float32)
        norms = np.sqrt(np.einsum("nd,nd->n", matrix, matrix))
        np.divide(matrix, np.maximum(norms, _TINY)[:, None], out=vectors[1:, at : at + dimension])
        at += dimension
    return torch.from_numpy(vectors)
