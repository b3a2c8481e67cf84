"""The causal Transformer that reads histories."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stages.model.config import ModelConfig
from stages.model.layers import NORM_EPS, AddNorm, Attend, Dropout, FeedForward


@dataclass(frozen=True)
class Layout:
    """How the real positions of B histories lie in a (B, L) rectangle; they are kept packed, one after the other.

    Attributes:
        rows: (R,) the history each real position belongs to.
        columns: (R,) its place in the history, 0 is the oldest item kept.
        batch: B.
        length: L, the longest history.
    """

    rows: Tensor
    columns: Tensor
    batch: int
    length: int

    @classmethod
    def of_lengths(cls, lengths: Tensor, longest: int | None = None) -> "Layout":
        """The layout of histories of these lengths (B,); pass ``longest`` where known to spare a device sync."""
        rows = torch.repeat_interleave(torch.arange(len(lengths), device=lengths.device), lengths)
        starts = torch.cumsum(lengths, 0) - lengths
        columns = torch.arange(len(rows), device=lengths.device) - starts[rows]
        return cls(rows, columns, len(lengths), int(lengths.max()) if longest is None else longest)

    def unpack(self, packed: Tensor) -> Tensor:
        """(R, d) to (B, L, d), zero at padding."""
        out = packed.new_zeros(self.batch * self.length, packed.shape[-1])
        index = self.rows * self.length + self.columns
        return out.index_copy(0, index, packed).view(self.batch, self.length, -1)

    def pack(self, padded: Tensor) -> Tensor:
        """(B, L, d) to (R, d)."""
        return padded.flatten(0, 1).index_select(0, self.rows * self.length + self.columns)


class BackboneLayer(nn.Module):
    """Causal self-attention and feed-forward, each with residual and norm."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        d, p = config.dim, config.dropout
        self.qkv = nn.Linear(d, 3 * d)
        self.attend = Attend(config.heads, p)
        self.out = AddNorm(d, d, p)
        self.feed_forward = FeedForward(d, config.ffn_dim, p)

    def forward(self, x: Tensor, layout: Layout) -> Tensor:
        """(R, d) in and out; only attention sees the rectangle, so padding costs nothing elsewhere."""
        query, key, value = layout.unpack(self.qkv(x)).chunk(3, -1)
        x = self.out(layout.pack(self.attend(query, key, value, causal=True)), x)
        return self.feed_forward(x)  # type: ignore[no-any-return]


class Backbone(nn.Module):
    """``Dropout(LayerNorm(item + position))``, then causal Transformer layers."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.empty(config.max_history, config.dim).normal_(std=0.02))
        self.norm = nn.LayerNorm(config.dim, eps=NORM_EPS)
        self.dropout = Dropout(config.dropout)
        self.layers = nn.ModuleList(BackboneLayer(config) for _ in range(config.layers))

    def forward(self, items: Tensor, layout: Layout) -> Tensor:
        """Read histories.

        Args:
            items: (R, d) item vectors at the real positions.
            layout: where they lie.

        Returns:
            (R, d): the output at each real position; histories are left-aligned, so none sees padding.
        """
        placed = items + torch.nn.functional.embedding(layout.columns, self.position)
        x: Tensor = self.dropout(self.norm(placed))
        for layer in self.layers:
            x = layer(x, layout)
        return x
