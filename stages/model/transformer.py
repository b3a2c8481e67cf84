"""The backbone ``transformer``: causal self-attention, post-norm.

Reference: Kang and McAuley, Self-attentive sequential recommendation, ICDM 2018; post-norm and GELU as in BERT.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.model.backbone import Backbone
from stages.model.config import ModelConfig
from stages.model.layers import NORM_EPS, AddNorm, Attend, Dropout, FeedForward
from stages.model.packing import Packing


class TransformerLayer(nn.Module):
    """Causal self-attention and feed-forward, each with residual and norm."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        d, p = config.dim, config.dropout
        self.qkv = nn.Linear(d, 3 * d)
        self.attend = Attend(config.heads, p)
        self.out = AddNorm(d, d, p)
        self.feed_forward = FeedForward(d, config.ffn_dim, p)

    def forward(self, x: Tensor, packing: Packing) -> Tensor:
        """(R, d) in and out; only attention sees the rectangle, so padding costs nothing elsewhere."""
        query, key, value = packing.unpack(self.qkv(x)).chunk(3, -1)
        x = self.out(packing.pack(self.attend(query, key, value, causal=True)), x)
        out: Tensor = self.feed_forward(x)
        return out


class Transformer(Backbone):
    """``Dropout(LayerNorm(item + position))``, then causal Transformer layers."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.position = nn.Parameter(torch.empty(config.max_history, config.dim).normal_(std=0.02))
        self.norm = nn.LayerNorm(config.dim, eps=NORM_EPS)
        self.dropout = Dropout(config.dropout)
        self.layers = nn.ModuleList(TransformerLayer(config) for _ in range(config.layers))

    def forward(self, items: Tensor, packing: Packing) -> Tensor:
        """See :meth:`Backbone.forward`; histories are left-aligned, so that none sees padding."""
        placed = items + F.embedding(packing.columns, self.position)
        x: Tensor = self.dropout(self.norm(placed))
        for layer in self.layers:
            x = layer(x, packing)
        return x
