"""What every network that reads histories follows; one file each, listed in ``registry.py``."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from stages.model.config import ModelConfig
from stages.model.packing import Packing


class Backbone(nn.Module, ABC):
    """Reads item vectors in their order. The output at a position depends on no later one.

    Args:
        config: sizes: ``dim``, ``layers``, ``heads``, ``ffn_dim``, ``max_history`` and ``dropout``.
    """

    @abstractmethod
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()

    @abstractmethod
    def forward(self, items: Tensor, packing: Packing) -> Tensor:
        """Read histories.

        Args:
            items: (R, d) item vectors, history after history.
            packing: where they lie.

        Returns:
            (R, d): the output at each position.
        """
