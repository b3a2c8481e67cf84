"""The model ``text``: what the texts alone can do."""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from stages.artifacts.names import EMBEDDINGS
from stages.model import ranges
from stages.model.catalogue import Catalogue
from stages.model.config import ModelConfig
from stages.model.layers import ItemEncoder, TextPerceptron, own_vectors
from stages.model.recommender import Recommender


class TextEncoder(ItemEncoder):
    """An item's view vectors, side by side, through two linear layers.

    Buffers as in :class:`stages.model.fusion.CodeFusion`.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = config.views * config.text_dim
        self.perceptron = TextPerceptron(width, config.fusion_ffn_dim, config.dim, config.fusion_dropout)
        self.ids = own_vectors(config)
        shape = (config.items + 1, config.views, config.text_dim)
        self.register_buffer("texts", torch.zeros(shape), persistent=False)

    @property
    def text_bias(self) -> nn.Parameter:
        """See :attr:`ItemEncoder.text_bias`."""
        return self.perceptron.outer.bias

    def set_items(self, texts: Tensor) -> None:
        """Give the catalogue: (N, M, t), zero where a view is missing."""
        self.texts[1:] = texts.to(self.texts)

    def forward(self, items: Tensor) -> Tensor:
        """(n,) item numbers to (n, d)."""
        ids = self.read_own_vectors(items)
        vectors: Tensor = self.perceptron(self.texts[items], ids)
        return vectors


class TextModel(Recommender):
    """Item vectors from the texts, and free vectors beside them where they are wanted."""

    encoder: TextEncoder
    reads = (EMBEDDINGS,)
    takes_ids = True
    ranks_new_items = True
    searched: ClassVar[Mapping[str, Any]] = {**ranges.BACKBONE, **ranges.ENCODER}

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config, TextEncoder(config))

    def set_items(self, catalogue: Catalogue) -> None:
        """See :meth:`LearnedModel.set_items`."""
        assert catalogue.texts is not None
        self.encoder.set_items(catalogue.texts)
        super().set_items(catalogue)
