"""The building blocks: dropout, attention, feed-forward, all post-norm as in BERT."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.model.config import ModelConfig
from stages.model.recompute import recomputed

NORM_EPS = 1e-12
"""LayerNorm epsilon of the authors' code (and of BERT)."""

_SCORES = 1 << 23
"""Attention scores held at a time on a CPU, 32 MiB in float32: a batch of 256 histories of 128 items, two heads."""


class _ByteDropout(torch.autograd.Function):
    """Dropout from eight random bits an element: torch's own draws a double each, and dominates a step on CPU."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, threshold: int) -> Tensor:
        words = torch.empty((x.numel() + 7) // 8, dtype=torch.int64).random_(-(2**63), None)
        keep = words.view(torch.uint8)[: x.numel()].view(x.shape) >= threshold
        ctx.save_for_backward(keep)
        ctx.scale = 256 / (256 - threshold)
        return torch.mul(x, keep).mul_(ctx.scale)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (keep,) = ctx.saved_tensors
        return torch.mul(grads[0], keep).mul_(ctx.scale), None


class Dropout(nn.Module):
    """Zero each element with probability ``p`` while training and scale the others to keep the mean.

    On CPU the probability is rounded to a multiple of 1/256.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self._threshold = min(255, round(p * 256))

    def forward(self, x: Tensor) -> Tensor:
        """Any shape in, the same out."""
        if not self.training or self.p == 0:
            return x
        if x.device.type == "cpu":
            dropped: Tensor = _ByteDropout.apply(x, self._threshold)  # type: ignore[no-untyped-call]
            return dropped
        return F.dropout(x, self.p)


class Attend(nn.Module):
    """Scaled dot-product attention over heads, with dropout on the weights.

    Args:
        heads: how many heads share the width.
        dropout: dropout probability of the attention weights.
    """

    def __init__(self, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = Dropout(dropout)

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, *, allowed: Tensor | None = None, causal: bool = False
    ) -> Tensor:
        """Attend.

        Args:
            query: (n, q, d).
            key: (n, k, d).
            value: (n, k, d).
            allowed: (n, k) which keys may be attended to; all when ``None``.
            causal: position i sees keys 0..i only.

        Returns:
            (n, q, d).
        """
        n, q, d = query.shape
        query, key, value = (x.view(n, -1, self.heads, d // self.heads).transpose(1, 2) for x in (query, key, value))
        mask = None if allowed is None else allowed[:, None, None, :]
        if query.device.type != "cpu":
            p = self.dropout.p if self.training else 0.0
            out = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=p, is_causal=causal)
        else:
            if causal:
                mask = torch.ones(1, 1, q, q, dtype=torch.bool).tril()
            out = self._in_blocks(query, key, value, mask)
        return out.transpose(1, 2).reshape(n, q, d)

    def _in_blocks(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        """Attend so many rows at a time that their scores fit; those of several blocks are formed again backwards.

        Args:
            query: (n, heads, q, d / heads); key and value alike.
            mask: (n or 1, 1, q or 1, k).
        """
        size = max(1, _SCORES // (query.shape[1] * query.shape[2] * key.shape[2]))
        # A program that is exported is for any number of rows, and cannot ask for it.
        if torch.compiler.is_compiling() or len(query) <= size:
            return self._plain(query, key, value, mask)
        done = []
        for start in range(0, len(query), size):
            parts = [x[start : start + size] for x in (query, key, value)]
            if mask is not None:
                parts.append(mask if len(mask) == 1 else mask[start : start + size])
            done.append(recomputed(self._plain, *parts) if torch.is_grad_enabled() else self._plain(*parts))
        return torch.cat(done)

    def _plain(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
        """Not torch's fused kernel: that is slower for a dozen keys, and on a CPU it has no dropout."""
        scores = query @ key.transpose(-1, -2) * (1 / math.sqrt(query.shape[-1]))
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf)
        out: Tensor = self.dropout(torch.softmax(scores, -1)) @ value
        return out


class AddNorm(nn.Module):
    """``LayerNorm(residual + Dropout(Linear(x)))``, the end of every block."""

    def __init__(self, inputs: int, dim: int, dropout: float) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, dim)
        self.dropout = Dropout(dropout)
        self.norm = nn.LayerNorm(dim, eps=NORM_EPS)

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        """(..., inputs) and (..., dim) in, (..., dim) out."""
        out: Tensor = self.norm(residual + self.dropout(self.linear(x)))
        return out


class FeedForward(nn.Module):
    """``LayerNorm(x + Linear(GELU(Linear(x))))`` with the exact GELU."""

    def __init__(self, dim: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.inner = nn.Linear(dim, hidden)
        self.outer = AddNorm(hidden, dim, dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(..., dim) in and out."""
        out: Tensor = self.outer(F.gelu(self.inner(x)), x)
        return out


def free_vectors(config: ModelConfig) -> nn.Parameter:
    """A vector to be learned for each item where nothing else tells items apart, (N + 1, d); row 0 is no item."""
    return nn.Parameter(torch.empty(config.items + 1, config.dim).normal_(std=0.02))


def own_vectors(config: ModelConfig) -> nn.Parameter | None:
    """A vector to be learned for each item beside what describes it, (N + 1, d); ``None`` for models without.

    They begin at zero, and those of items that training never sees stay there: such an item is what describes it, as a
    new one is.
    """
    return nn.Parameter(torch.zeros(config.items + 1, config.dim)) if config.with_ids else None


class ItemEncoder(nn.Module):
    """What encoders of items have in common: free vectors beside what describes an item.

    Attributes:
        ids: (N + 1, d), see :func:`own_vectors`.
        texts: (N + 1, M, t) view vectors, zero where missing; row 0 is no item.
        as_new: (N + 1,) bool, items that this step of training treats as if they came later; ``None`` for none.
    """

    ids: nn.Parameter | None
    texts: Tensor
    as_new: Tensor | None = None

    @property
    def text_bias(self) -> nn.Parameter | None:
        """What is added to what an item's texts say, any shape; ``None`` where something else is added to that."""
        return None

    def begin_apart_from_zero(self) -> None:
        """Draw the first values of :attr:`text_bias` if there is an item without any text; else leave them.

        Such an item would begin as the zero vector, whose length the norm and the cosine divide by: its gradient there
        has no bound, Adam remembers the square of it, and what it reached would not move for the rest of the training.
        """
        if self.text_bias is not None and not bool(self.texts[1:].flatten(1).any(1).all()):
            nn.init.normal_(self.text_bias, std=0.02)

    def read_own_vectors(self, items: Tensor) -> Tensor | None:
        """Those of items (n,), (n, d), zero for new ones; ``None`` without."""
        if self.ids is None:
            return None
        found = F.embedding(items, self.ids)
        return (
            found if self.as_new is None or not self.training else found.masked_fill(self.as_new[items][:, None], 0.0)
        )


class TextPerceptron(nn.Module):
    """``LayerNorm(Linear(GELU(Linear(x))) + ids)`` over an item's view vectors side by side.

    Args:
        inputs: views x dimensions of a view's vector.
        hidden: hidden width.
        dim: d.
        dropout: dropout probability of input and hidden layer.
    """

    def __init__(self, inputs: int, hidden: int, dim: int, dropout: float) -> None:
        super().__init__()
        self.inner = nn.Linear(inputs, hidden)
        self.outer = nn.Linear(hidden, dim)
        self.dropout = Dropout(dropout)
        self.norm = nn.LayerNorm(dim, eps=NORM_EPS)

    def forward(self, texts: Tensor, ids: Tensor | None = None) -> Tensor:
        """(n, M, t) whitened view vectors, zero where missing, and free vectors (n, d), if any, to (n, d)."""
        hidden = F.gelu(self.inner(self.dropout(texts.flatten(1))))
        read = self.outer(self.dropout(hidden))
        out: Tensor = self.norm(read if ids is None else read + ids)
        return out
