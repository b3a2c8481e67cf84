"""Item encoders of the baselines: item numbers alone, texts alone."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.model.config import ModelConfig
from stages.model.layers import NORM_EPS, Dropout


class ItemTable(nn.Module):
    """One free vector per item, the item encoder of SASRec."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.empty(config.items + 1, config.dim).normal_(std=0.02))

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
        self.views = nn.Linear(config.views * config.text_dimension, config.fusion_ffn_dim)
        self.out = nn.Linear(config.fusion_ffn_dim, config.dim)
        self.dropout = Dropout(config.fusion_dropout)
        self.norm = nn.LayerNorm(config.dim, eps=NORM_EPS)
        width = config.views * config.text_dimension
        self.register_buffer("texts", torch.zeros(config.items + 1, width), persistent=False)

    def set_items(self, texts: Tensor) -> None:
        """Give the catalogue: (N, M, text_dimension), zero where a view is missing."""
        self.texts[1:] = texts.flatten(1).to(self.texts)

    def forward(self, items: Tensor) -> Tensor:
        """(n,) item numbers to (n, d)."""
        hidden = F.gelu(self.views(self.dropout(self.texts[items])))
        return self.norm(self.out(self.dropout(hidden)))  # type: ignore[no-any-return]
