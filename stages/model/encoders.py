"""Item encoders of the baselines: item numbers alone, texts alone."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.model.config import ModelConfig
from stages.model.layers import TextPerceptron, free_vectors


class ItemTable(nn.Module):
    """One free vector per item, the item encoder of SASRec."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.table = free_vectors(config)

    def forward(self, items: Tensor) -> Tensor:
        """(n,) item numbers to (n, d)."""
        return F.embedding(items, self.table)


class TextEncoder(nn.Module):
    """An item's view vectors, side by side, through two linear layers: what the texts alone can do.

    Buffers as in :class:`stages.model.fusion.CodeFusion`.
    """

    texts: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = config.views * config.text_dimension
        self.perceptron = TextPerceptron(width, config.fusion_ffn_dim, config.dim, config.fusion_dropout)
        self.ids = free_vectors(config) if config.with_ids else None
        shape = (config.items + 1, config.views, config.text_dimension)
        self.register_buffer("texts", torch.zeros(shape), persistent=False)

    def set_items(self, texts: Tensor) -> None:
        """Give the catalogue: (N, M, text_dimension), zero where a view is missing."""
        self.texts[1:] = texts.to(self.texts)

    def forward(self, items: Tensor) -> Tensor:
        """(n,) item numbers to (n, d)."""
        ids = None if self.ids is None else F.embedding(items, self.ids)
        return self.perceptron(self.texts[items], ids)  # type: ignore[no-any-return]
