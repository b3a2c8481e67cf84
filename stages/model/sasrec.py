"""The model ``sasrec``: item numbers alone.

Reference: Kang and McAuley, Self-attentive sequential recommendation, ICDM 2018.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from stages.artifacts.names import ITEMS
from stages.model import ranges
from stages.model.config import ModelConfig
from stages.model.layers import free_vectors
from stages.model.recommender import Recommender


class ItemTable(nn.Module):
    """One free vector per item."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.table = free_vectors(config)

    def forward(self, items: Tensor) -> Tensor:
        """(n,) item numbers to (n, d)."""
        return F.embedding(items, self.table)


class SASRec(Recommender):
    """Item vectors that are learned freely; trained, unlike the original, with a softmax over the catalogue."""

    reads = (ITEMS,)
    item_rows = "encoder.table"
    searched: ClassVar[Mapping[str, Any]] = ranges.BACKBONE

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config, ItemTable(config))
