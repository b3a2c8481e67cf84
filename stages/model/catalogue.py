"""What the model knows of the items: their codes and whitened text vectors, from the artifacts."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stages.artifacts.errors import DataError
from stages.artifacts.items import count_items
from stages.artifacts.names import CODES, EMBEDDINGS, ITEMS
from stages.artifacts.vectors import embedding_views, read_codes, read_view
from stages.whitening import Whitening, whiten


@dataclass(frozen=True)
class Catalogue:
    """The items as the model's inputs.

    Attributes:
        items: N.
        codes: (N, C) uint16 values, ``None`` for models without codes.
        codebook_size: K.
        texts: (N, M, t) whitened view vectors, zero where missing; ``None`` for models without texts.
        present: (N, M) which views there are.
        views: names of the M views.
        whitening: what maps embeddings to ``texts``, saved with the model so that new items can be mapped alike.
    """

    items: int
    codes: Tensor | None = None
    codebook_size: int = 0
    texts: Tensor | None = None
    present: Tensor | None = None
    views: tuple[str, ...] = ()
    whitening: dict[str, Tensor] = field(default_factory=dict)


def read_catalogue(
    workdir: Path, files: Collection[str], text_dim: int, whitening: dict[str, Tensor] | None = None
) -> Catalogue:
    """Read the items.

    Args:
        workdir: the work directory.
        files: what the model reads, of ``embeddings.parquet``, ``codes.parquet`` and ``items.parquet``; from the last
            only the number of items is taken.
        text_dim: t, to which each view is whitened; a view of lower rank is padded with zeros.
        whitening: of a trained model; ``None`` fits it to these items.

    Raises:
        DataError: when a file is missing, breaks the contract, or does not fit the trained model or its neighbours.
    """
    workdir = Path(workdir)
    texts = _read_texts(workdir / EMBEDDINGS, text_dim, whitening) if EMBEDDINGS in files else None
    codes, size = read_codes(workdir / CODES) if CODES in files else (None, 0)
    if texts is not None and codes is not None and len(codes) != texts.items:
        raise DataError(
            f"{workdir / CODES} has {len(codes)} items, {workdir / EMBEDDINGS} has {texts.items}",
            "Run `cocorec quantize` again.",
        )
    if codes is None:
        return texts or Catalogue(count_items(workdir / ITEMS))
    values = torch.from_numpy(codes.astype(np.int32))
    return replace(texts or Catalogue(len(values)), codes=values, codebook_size=size)


def _read_texts(path: Path, text_dim: int, whitening: dict[str, Tensor] | None) -> Catalogue:
    views = embedding_views(path)
    fitted: dict[str, Tensor] = {}
    texts, presence = [], []
    for view, dimension in views.items():
        matrix, present = read_view(path, view)
        fit = whiten(matrix, present, text_dim) if whitening is None else _saved(whitening, view, dimension, path)
        fitted[f"{view}.mean"] = torch.from_numpy(fit.mean)
        fitted[f"{view}.projection"] = torch.from_numpy(fit.projection)
        mapped = np.zeros((len(matrix), text_dim), np.float32)
        mapped[:, : fit.dimension] = fit.apply(matrix, present)
        texts.append(mapped)
        presence.append(present)
    return Catalogue(
        len(texts[0]),
        texts=torch.from_numpy(np.stack(texts, 1)),
        present=torch.from_numpy(np.stack(presence, 1)),
        views=tuple(views),
        whitening=fitted,
    )


def _saved(whitening: dict[str, Tensor], view: str, dimension: int, path: Path) -> Whitening:
    mean, projection = whitening.get(f"{view}.mean"), whitening.get(f"{view}.projection")
    if mean is None or projection is None:
        known = ", ".join(sorted(key.removesuffix(".mean") for key in whitening if key.endswith(".mean")))
        raise DataError(f"{path}: the model was not trained on view {view!r}, but on {known}", "Train again.")
    if len(mean) != dimension:
        raise DataError(
            f"{path}: view {view!r} has dimension {dimension}, the model was trained on {len(mean)}", "Train again."
        )
    return Whitening(mean.numpy(), projection.numpy(), np.zeros(projection.shape[1]))
