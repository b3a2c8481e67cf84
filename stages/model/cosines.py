"""How a recommender of vectors scores: cosines of users and items, shifted by its biases."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from stages.model.base import Tiles
from stages.model.packing import Packing
from stages.model.repeats import older_items
from stages.model.shifts import Shifts
from stages.model.tiles import product

if TYPE_CHECKING:
    from stages.model.recommender import Recommender


class Cosines:
    """A :data:`stages.model.base.Scorer`; the vectors of all items are computed once, here.

    Args:
        model: in evaluation mode.

    Attributes:
        candidates: (N + 1, d) float32 vectors of the items, of length 1; row 0 is no item.
        of_items: (N + 1,) what is added to the score of an item, whoever asks; ``None`` for nothing.
    """

    def __init__(self, model: Recommender) -> None:
        self._model = model
        self._history_table, candidates = model.item_tables()
        self.candidates = F.normalize(candidates.float(), dim=-1)
        never_seen = model.never_seen
        self.of_items: Tensor | None = (
            None if never_seen is None else never_seen * (model.worth_of_new_items + model.new_item_boost)
        )

    def users(self, histories: Tensor, packing: Packing) -> Tensor:
        """Vectors (B, d) of packed histories, of length 1."""
        return F.normalize(self._model.read(self._history_table, histories, packing).float(), dim=-1)

    def shifts(self, histories: Tensor, packing: Packing) -> Shifts | None:
        """What is added to the scores of single items after these histories; ``None`` for nothing."""
        return self._model.shifts(histories, packing, packing.last)

    def older(self, items: Tensor, first: Tensor, start: Tensor, end: Tensor) -> Shifts | None:
        """What is added for items that histories held before the part that is read; as of :func:`older_items`."""
        if self._model.older_bias is None:
            return None
        rows, numbers = older_items(items, self._model.config.items, first, start, end)
        return Shifts(rows, numbers, self._model.older_bias.expand(len(rows)))

    def __call__(self, histories: Tensor, packing: Packing) -> Tiles:
        """See :data:`stages.model.base.Scorer`."""
        users, shift = self.users(histories, packing), self._tile_shifts(histories, packing)

        def tile(part: slice) -> Tensor:
            # In bfloat16 cosines have three digits: thousands of items would tie, and ties count against the
            # target.
            with torch.autocast(users.device.type, enabled=False):
                scores = product(users[part], self.candidates)
            if self.of_items is not None:
                scores += self.of_items
            shift(scores, part.start)
            return scores

        return tile

    def _tile_shifts(self, histories: Tensor, packing: Packing) -> Callable[[Tensor, int], None]:
        """What adds the shifts, in place, to the scores (q, N + 1) of the histories from row ``first`` on."""
        found = self.shifts(histories, packing)
        if found is None:
            return lambda scores, first: None
        values = found.values.float()

        def shift(scores: Tensor, first: int) -> None:
            bounds = torch.tensor([first, first + len(scores)], device=scores.device)
            low, high = torch.searchsorted(found.rows, bounds).tolist()
            place = (found.rows[low:high] - first) * scores.shape[1] + found.items[low:high]
            scores.view(-1).index_add_(0, place, values[low:high])

        return shift
