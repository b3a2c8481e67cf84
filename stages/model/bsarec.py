"""The backbone ``bsarec``: causal self-attention mixed with a filter that tells slow from quick changes of a history.

Reference: Shin, Choi, Wi and Park, An attentive inductive bias for sequential recommendation beyond the self-attention,
AAAI 2024. For a layer's input X (n, d), the history's n positions in their order:

    low(X) = the part of X with the c lowest frequencies of the discrete Fourier transform along the positions
    F(X)   = LayerNorm(X + Dropout(low(X) + beta^2 * (X - low(X))))      beta (d,) learned
    A(X)   = LayerNorm(X + Dropout(Linear(SelfAttention(X))))
    out    = FFN(alpha F(X) + (1 - alpha) A(X))

**Causal, unlike the original.** The authors filter the whole padded row at once and train its last position alone; the
filtered vectors of earlier positions hold later items, which would give the targets away where all positions are
targets in one pass. Here the vector at position p is filtered as the last one of the history that ends there: low(X)[p]
is what the original's low-pass gives at the last position of X[0..p]. That is a fixed lower-triangular matrix, whose
row p is the last row of the low-pass operator of length p + 1. So one filter equals the original's at the last
position of a history without padding. A stack of layers does not: in the original the second layer's input at earlier
positions has seen the whole history, here each has seen what came before it. There is no padding here, which the
original filters along.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.model.backbone import Backbone
from stages.model.config import ModelConfig
from stages.model.layers import NORM_EPS, AddNorm, Attend, Dropout, FeedForward
from stages.model.packing import Packing

ALPHA = 0.7
"""Share of the filter; the authors' choice for Beauty."""

FREQUENCIES = 5
"""c, of the complex transform: the mean and the two lowest frequencies with their conjugates, as the authors' c = 5 (3
of the real transform); their choice for Beauty, too."""


def low_pass(length: int, device: torch.device | None = None) -> Tensor:
    """The causal low-pass, lower-triangular (L, L) in float32.

    Row p, of length n = p + 1, has ``1/n sum_k cos(2 pi k (p - q) / n)`` over the kept frequencies k, each once, which
    are -2..2 modulo n: the last row of inverse transform x selection x transform. Up to five items nothing is taken
    away.
    """
    at = torch.arange(length, device=device, dtype=torch.float64)
    n, age = at[:, None] + 1, at[:, None] - at[None, :]
    kept = torch.ones_like(age)
    for k in range(1, FREQUENCIES // 2 + 1):
        # k and -k are two frequencies, one where n = 2 k, and none of their own below.
        distinct = (n > 2 * k).double() + (n >= 2 * k).double()
        kept = kept + distinct * torch.cos(2 * math.pi * k * age / n)
    return (kept / n).tril().float()


class FrequencyFilter(nn.Module):
    """``LayerNorm(x + Dropout(low + beta^2 (x - low)))``."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.beta = nn.Parameter(torch.empty(config.dim).normal_())
        self.dropout = Dropout(config.dropout)
        self.norm = nn.LayerNorm(config.dim, eps=NORM_EPS)

    def forward(self, x: Tensor, packing: Packing, matrix: Tensor) -> Tensor:
        """(R, d) in and out; ``matrix`` (L, L) from :func:`low_pass`."""
        low = packing.pack(matrix.to(x.dtype) @ packing.unpack(x))
        filtered = low + self.beta.square() * (x - low)
        kept: Tensor = self.norm(x + self.dropout(filtered))
        return kept


class BSARecLayer(nn.Module):
    """Filter and causal self-attention side by side, then feed-forward."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        d, p = config.dim, config.dropout
        self.filter = FrequencyFilter(config)
        self.qkv = nn.Linear(d, 3 * d)
        self.attend = Attend(config.heads, p)
        self.out = AddNorm(d, d, p)
        self.feed_forward = FeedForward(d, config.ffn_dim, p)

    def forward(self, x: Tensor, packing: Packing, matrix: Tensor) -> Tensor:
        """(R, d) in and out; ``matrix`` (L, L) from :func:`low_pass`."""
        query, key, value = packing.unpack(self.qkv(x)).chunk(3, -1)
        attended = self.out(packing.pack(self.attend(query, key, value, causal=True)), x)
        mixed = ALPHA * self.filter(x, packing, matrix) + (1 - ALPHA) * attended
        out: Tensor = self.feed_forward(mixed)
        return out


class BSARec(Backbone):
    """``Dropout(LayerNorm(item + position))``, then layers of filter and attention."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.position = nn.Parameter(torch.empty(config.max_history, config.dim).normal_(std=0.02))
        self.norm = nn.LayerNorm(config.dim, eps=NORM_EPS)
        self.dropout = Dropout(config.dropout)
        self.layers = nn.ModuleList(BSARecLayer(config) for _ in range(config.layers))

    def forward(self, items: Tensor, packing: Packing) -> Tensor:
        """See :meth:`Backbone.forward`."""
        x: Tensor = self.dropout(self.norm(items + F.embedding(packing.columns, self.position)))
        matrix = low_pass(packing.length, x.device)
        for layer in self.layers:
            x = layer(x, packing, matrix)
        return x
