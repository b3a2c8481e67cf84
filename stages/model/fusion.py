"""Code-guided semantic fusion: an item's codes attend to each other and to its texts."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stages.model.config import ModelConfig
from stages.model.layers import AddNorm, Attend, FeedForward, ItemEncoder, TextPerceptron, own_vectors

_GATE = 0.1
"""The gate's first values: small, so that fusion adds to what the texts say instead of drowning it.

Reference: Touvron et al., Going deeper with image transformers, 2021 (LayerScale).
"""


@dataclass(frozen=True)
class Fused:
    """What fusion gives for n items.

    Attributes:
        queries: Q0 (n, C, d), the raw code embeddings.
        codes: Q (n, C, d), the codes after fusion.
        residual: (n, d) what the texts say directly, with the items' free vectors if there are any, or ``None``.
        gate: (d,) what the fused codes are multiplied by before they are added to that, or ``None``.
    """

    queries: Tensor
    codes: Tensor
    residual: Tensor | None = None
    gate: Tensor | None = None

    def history(self) -> Tensor:
        """The vector h (n, d): the item as part of a history."""
        mean = self.codes.mean(1) if self.gate is None else self.codes.mean(1) * self.gate
        return mean if self.residual is None else mean + self.residual

    def candidate(self) -> Tensor:
        """The vector v (n, d): the item as a candidate: the raw codes are added."""
        return self.history() + self.queries.mean(1)


class FusionLayer(nn.Module):
    """Self-attention among the codes, cross-attention to the texts, feed-forward; each with residual and norm.

    Without texts (the ablation ``codes``) there is nothing to attend to.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        d, p = config.dim, config.fusion_dropout
        self.self_qkv = nn.Linear(d, 3 * d)
        self.self_attend = Attend(config.fusion_heads, p)
        self.self_out = AddNorm(d, d, p)
        self.reads_texts = config.text_dim > 0
        if self.reads_texts:
            self.cross_q = nn.Linear(d, d)
            self.cross_kv = nn.Linear(config.text_dim, 2 * d)
            self.cross_attend = Attend(config.fusion_heads, p)
            self.cross_out = AddNorm(d, d, p)
        self.feed_forward = FeedForward(d, config.fusion_ffn_dim, p)

    def forward(self, codes: Tensor, texts: Tensor, present: Tensor | None) -> Tensor:
        """Codes (n, C, d), texts (n, M, text_dim) and present (n, M) in; codes (n, C, d) out."""
        query, key, value = self.self_qkv(codes).chunk(3, -1)
        codes = self.self_out(self.self_attend(query, key, value), codes)
        if self.reads_texts:
            key, value = self.cross_kv(texts).chunk(2, -1)
            codes = self.cross_out(self.cross_attend(self.cross_q(codes), key, value, allowed=present), codes)
        fused: Tensor = self.feed_forward(codes)
        return fused


class CodeFusion(ItemEncoder):
    """The item encoder of CoCoRec.

    The code table has one row per (position, code) after row 0, which is [MASK]: code k of position j is row
    ``1 + K j + k``.

    Args:
        config: sizes; N items, C codes, M views.

    Buffers, which are inputs rather than weights and not saved: ``rows`` (N + 1, C) code table rows, ``texts``
    (N + 1, M, text_dim) whitened vectors, ``present`` (N + 1, M). Row 0 of each stands for no item.
    """

    rows: Tensor
    present: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.learnable_mask = config.learnable_mask
        self.codebook_size = config.codebook_size
        self.table = nn.Parameter(torch.empty(1 + config.codes * config.codebook_size, config.dim).normal_(std=0.02))
        self.layers = nn.ModuleList(FusionLayer(config) for _ in range(config.fusion_layers))
        n, m = config.items + 1, config.views
        self.residual, self.gate = None, None
        if config.text_residual and config.text_dim:
            self.residual = TextPerceptron(
                m * config.text_dim, config.fusion_ffn_dim, config.dim, config.fusion_dropout
            )
            self.gate = nn.Parameter(torch.full((config.dim,), _GATE))
        self.ids = own_vectors(config)
        self.register_buffer("rows", torch.zeros(n, config.codes, dtype=torch.int32), persistent=False)
        self.register_buffer("texts", torch.zeros(n, m, config.text_dim), persistent=False)
        self.register_buffer("present", torch.ones(n, m, dtype=torch.bool), persistent=False)
        self.all_present = True

    @property
    def text_bias(self) -> nn.Parameter | None:
        """See :attr:`ItemEncoder.text_bias`."""
        return None if self.residual is None else self.residual.outer.bias

    def set_items(self, codes: Tensor, texts: Tensor | None, present: Tensor | None) -> None:
        """Give the catalogue.

        Args:
            codes: (N, C) values 0..K-1.
            texts: (N, M, text_dim) whitened view vectors; what a missing one holds does not count.
            present: (N, M) which views there are; an item without any attends to zero vectors.

        Both are ``None`` where the model reads no texts.
        """
        first = 1 + self.codebook_size * torch.arange(codes.shape[1])
        self.rows[1:] = (codes.long() + first).to(self.rows)
        if texts is None or present is None:
            return
        self.texts[1:] = (texts * present[..., None]).to(self.texts)
        self.present[1:] = (present | ~present.any(1, keepdim=True)).to(self.present)
        self.all_present = bool(self.present.all())

    def forward(self, items: Tensor, rows: Tensor | None = None) -> Fused:
        """Fuse items.

        Args:
            items: (n,) item numbers.
            rows: (n, C) rows of the code table to use instead of the items' own, for masked codes.
        """
        rows = self.rows[items] if rows is None else rows
        table: Tensor = self.table
        if not self.learnable_mask:
            table = torch.cat([table[:1].detach(), table[1:]])
        queries = torch.nn.functional.embedding(rows, table)
        texts = self.texts[items]
        present = None if self.all_present else self.present[items]
        codes = queries
        for layer in self.layers:
            codes = layer(codes, texts, present)
        ids = self.read_own_vectors(items)
        return Fused(queries, codes, ids if self.residual is None else self.residual(texts, ids), self.gate)
