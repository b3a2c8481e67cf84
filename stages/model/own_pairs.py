"""The pairs of items that histories hold themselves, which a statistic over all histories has to leave out."""

from dataclasses import dataclass

import torch
from torch import Tensor

from stages.model.distances import DISTANCE
from stages.model.packing import Packing


@dataclass(frozen=True)
class OwnPairs:
    """All pairs of places of B histories, as (B, L, L): first the item that is asked about, then its partner.

    Attributes:
        items: (B, L) item numbers, 0 at padding; in training the item that follows each history is among them.
        both: (B, L, L) both places are filled.
        equal: (B, L, L) both places hold the same item.
        repeated: (B, L) the item stood in the history before.
    """

    items: Tensor
    both: Tensor
    equal: Tensor
    repeated: Tensor

    @classmethod
    def of(cls, histories: Tensor, packing: Packing, following: Tensor | None = None) -> "OwnPairs":
        """Lay out packed histories.

        Args:
            histories: (R,) item numbers.
            packing: where they lie.
            following: (B,) the item after each history, where it is known.
        """
        items = packing.unpack(histories[:, None])[..., 0]
        if following is not None:
            items = torch.cat([items, items.new_zeros(packing.batch, 1)], 1)
            end = packing.columns[packing.last] + 1
            items[torch.arange(packing.batch, device=items.device), end] = following
        filled = items > 0
        both = filled[:, :, None] & filled[:, None, :]
        equal = both & (items[:, :, None] == items[:, None, :])
        return cls(items, both, equal, (equal & (_distance(items) > 0)).any(1))

    def times(self, backward: Tensor, furthest: int) -> Tensor:
        """How often the history itself had each pair of items, weighted as in :class:`WeightedPairs`; (B, L, L)."""
        distance = _distance(self.items)
        weight = distance.abs().clamp(min=1).to(backward.dtype) ** DISTANCE
        weight = torch.where(distance > 0, weight, weight * backward)
        weight = weight.masked_fill((distance == 0) | (distance.abs() > furthest), 0.0)
        equal = self.equal.to(weight.dtype)
        return equal @ (weight * self.both) @ equal

    @property
    def occurrences(self) -> Tensor:
        """How often the item at a place occurs in the history, (B, L)."""
        return self.equal.sum(2)


def _distance(items: Tensor) -> Tensor:
    """(L, L): how many places the second comes after the first."""
    place = torch.arange(items.shape[1], device=items.device)
    return place[None, :] - place[:, None]
