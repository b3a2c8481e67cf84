"""The model ``unisrec``: texts through a mixture of experts, or text + id with ``--with-ids``, trained from scratch.

Each expert is a parametric whitening, an affine map learned with the rest; a gate mixes them item by item. Beside the
original: the view vectors come whitened by PCA, side by side; the experts share one dropout mask; the repeat bias and
the other options of training are those of all models here. There is no pre-training on other domains.

Reference: Hou et al., Towards universal sequence representation learning for recommender systems, KDD 2022.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.artifacts.names import EMBEDDINGS
from stages.model import ranges
from stages.model.catalogue import Catalogue
from stages.model.config import ModelConfig
from stages.model.layers import Dropout, ItemEncoder, own_vectors
from stages.model.recommender import Recommender

_LEAST_NOISE = 1e-2


class MixtureOfExperts(nn.Module):
    """``sum_g gate_g(x) W_g (Dropout(x) - b_g)`` with ``gate(x) = softmax(x V + noise * softplus(x U))``.

    The noise, standard normal times a learned scale, is drawn in training only: it keeps the gate from settling on one
    expert early.

    Args:
        experts: G.
        inputs: width of x.
        outputs: d.
        dropout: dropout probability of the experts' input.

    Reference: Shazeer et al., Outrageously large neural networks: the sparsely-gated mixture-of-experts layer, 2017;
    here all experts are used, as in UniSRec.
    """

    def __init__(self, experts: int, inputs: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(experts, inputs, outputs))
        self.bias = nn.Parameter(torch.zeros(experts, inputs))
        self.gate = nn.Parameter(torch.zeros(inputs, experts))
        self.noise = nn.Parameter(torch.zeros(inputs, experts))
        self.dropout = Dropout(dropout)
        for expert in self.weight.unbind():
            nn.init.xavier_normal_(expert)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs) to (n, d)."""
        logits = x @ self.gate
        if self.training:
            logits = logits + torch.randn_like(logits) * (F.softplus(x @ self.noise) + _LEAST_NOISE)
        gates = torch.softmax(logits, -1)
        shifts = torch.einsum("gi,gio->go", self.bias, self.weight)
        mapped = self.dropout(x) @ self.weight.transpose(0, 1).flatten(1)  # of all experts in one product
        experts = mapped.unflatten(1, shifts.shape) - shifts
        return torch.einsum("ng,ngo->no", gates, experts)


class ExpertEncoder(ItemEncoder):
    """An item's view vectors, side by side, through the mixture; free vectors are added where they are wanted.

    Buffers as in :class:`stages.model.fusion.CodeFusion`.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = config.views * config.text_dim
        self.mixture = MixtureOfExperts(config.experts, width, config.dim, config.fusion_dropout)
        self.ids = own_vectors(config)
        shape = (config.items + 1, config.views, config.text_dim)
        self.register_buffer("texts", torch.zeros(shape), persistent=False)

    @property
    def text_bias(self) -> nn.Parameter:
        """See :attr:`ItemEncoder.text_bias`."""
        return self.mixture.bias

    def set_items(self, texts: Tensor) -> None:
        """Give the catalogue: (N, M, t), zero where a view is missing."""
        self.texts[1:] = texts.to(self.texts)

    def forward(self, items: Tensor) -> Tensor:
        """(n,) item numbers to (n, d)."""
        read: Tensor = self.mixture(self.texts[items].flatten(1))
        ids = self.read_own_vectors(items)
        return read if ids is None else read + ids


class UniSRec(Recommender):
    """Item vectors from the texts by a mixture of experts."""

    encoder: ExpertEncoder
    reads = (EMBEDDINGS,)
    takes_ids = True
    ranks_new_items = True
    searched: ClassVar[Mapping[str, Any]] = {**ranges.BACKBONE, **ranges.ENCODER, "experts": [4, 8, 16]}

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config, ExpertEncoder(config))

    def set_items(self, catalogue: Catalogue) -> None:
        """See :meth:`LearnedModel.set_items`."""
        assert catalogue.texts is not None
        self.encoder.set_items(catalogue.texts)
        super().set_items(catalogue)

    @property
    def width(self) -> int:
        """See :attr:`Recommender.width`: a vector for each expert."""
        return self.config.experts * self.config.dim
