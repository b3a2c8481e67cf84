"""The user encoder as one module: histories in, vectors out, with the items' vectors inside."""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.model.packing import Packing
from stages.model.recommender import Recommender


@dataclass(frozen=True)
class Rectangle(Packing):
    """Histories that are laid out in their rectangle already, padding and all: nothing is moved."""

    @classmethod
    def of(cls, batch: int, length: int) -> "Rectangle":
        """The layout of ``batch`` rows of ``length`` positions."""
        columns = torch.arange(length).expand(batch, length).flatten()
        rows = torch.arange(batch)[:, None].expand(batch, length).flatten()
        return cls(rows, columns, batch, length)

    def unpack(self, packed: Tensor) -> Tensor:
        """(B L, d) to (B, L, d)."""
        return packed.view(self.batch, self.length, -1)

    def pack(self, padded: Tensor) -> Tensor:
        """(B, L, d) to (B L, d)."""
        return padded.flatten(0, 1)


class UserEncoder(nn.Module):
    """Reads histories of item numbers as the model does, and nothing else is needed: runs on its own, on a CPU.

    A 0 is no item and is passed over wherever it stands, so that histories may be padded on either side, and items
    that are not known need not be taken out. What the model reads of a history is its last items, at most
    ``length``: cut longer ones at their beginning.

    Args:
        model: whose encoder it is, in evaluation mode.
        history_table: (N + 1, d) vectors of the items as part of a history, from ``model.item_tables``.

    Attributes:
        length: L, items of a history, the model's ``max_history``.
    """

    history_table: Tensor

    def __init__(self, model: Recommender, history_table: Tensor) -> None:
        super().__init__()
        self.length = model.config.max_history
        self.register_buffer("history_table", history_table.detach().clone().float().cpu())
        self.backbone = copy.deepcopy(model.backbone).float().cpu()
        self.eval().requires_grad_(False)

    def forward(self, items: Tensor) -> Tensor:
        """Vectors of length 1, (B, d) float32, of histories (B, L) int64; zeros for a history without any item."""
        batch, length = items.shape
        known = items > 0
        place = torch.where(known, known.long().cumsum(1) - 1, length)
        left = items.new_zeros(batch, length + 1).scatter(1, place, items)[:, :length]
        vectors = self.history_table[left].flatten(0, 1)
        outputs = self.backbone(vectors, Rectangle.of(batch, length)).view(batch, length, -1)
        count = known.sum(1)
        last = (count - 1).clamp(min=0)[:, None, None].expand(batch, 1, outputs.shape[-1])
        vector = F.normalize(outputs.gather(1, last)[:, 0], dim=-1)
        return torch.where((count > 0)[:, None], vector, torch.zeros_like(vector))
