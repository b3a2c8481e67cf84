"""How a recommender of vectors scores: cosines of users and items, shifted by the repeat bias."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from stages.model.base import Tiles
from stages.model.packing import Packing
from stages.model.repeats import seen_items
from stages.model.tiles import product

if TYPE_CHECKING:
    from stages.model.recommender import Recommender


@dataclass(frozen=True)
class Shifts:
    """What the repeat bias adds, one entry per (history, item of it).

    Attributes:
        rows: (P,) number of the history, ascending.
        items: (P,) item numbers.
        values: (P,) float32.
    """

    rows: Tensor
    items: Tensor
    values: Tensor


class Cosines:
    """A :data:`stages.model.base.Scorer`; the vectors of all items are computed once, here.

    Args:
        model: in evaluation mode.

    Attributes:
        candidates: (N + 1, d) float32 vectors of the items, of length 1; row 0 is no item.
    """

    def __init__(self, model: Recommender) -> None:
        self._model = model
        self._history_table, candidates = model.item_tables()
        self.candidates = F.normalize(candidates.float(), dim=-1)

    def users(self, histories: Tensor, packing: Packing) -> Tensor:
        """Vectors (B, d) of packed histories, of length 1."""
        return F.normalize(self._model.read(self._history_table, histories, packing).float(), dim=-1)

    def shifts(self, histories: Tensor, packing: Packing) -> Shifts | None:
        """What is added to the cosines of items in the histories; ``None`` for a model without a repeat bias."""
        if self._model.repeats is None:
            return None
        seen = seen_items(histories, packing, packing.last)
        return Shifts(seen.rows, seen.items, self._model.repeats(seen).float())

    def __call__(self, histories: Tensor, packing: Packing) -> Tiles:
        """See :data:`stages.model.base.Scorer`."""
        users, shift = self.users(histories, packing), self._tile_shifts(histories, packing)

        def tile(part: slice) -> Tensor:
            # In bfloat16 cosines have three digits: thousands of items would tie, and ties count against the
            # target.
            with torch.autocast(users.device.type, enabled=False):
                scores = product(users[part], self.candidates)
            shift(scores, part.start)
            return scores

        return tile

    def _tile_shifts(self, histories: Tensor, packing: Packing) -> Callable[[Tensor, int], None]:
        """What adds the shifts, in place, to the scores (q, N + 1) of the histories from row ``first`` on."""
        shifts = self.shifts(histories, packing)
        if shifts is None:
            return lambda scores, first: None

        def shift(scores: Tensor, first: int) -> None:
            bounds = torch.tensor([first, first + len(scores)], device=scores.device)
            low, high = torch.searchsorted(shifts.rows, bounds).tolist()
            place = (shifts.rows[low:high] - first) * scores.shape[1] + shifts.items[low:high]
            scores.view(-1).index_add_(0, place, shifts.values[low:high])

        return shift
