"""The model ``transitions``: how often an item directly followed the last one.

Strong where histories are short, and hard to beat with ids alone.

Reference: Ludewig and Jannach, Evaluation of session-based recommendation algorithms, 2018.
"""

from typing import Any

import torch
from torch import Tensor

from stages.artifacts.names import ITEMS
from stages.artifacts.sequences import Sequences
from stages.model.base import Scorer, Tiles, training_items
from stages.model.packing import Packing
from stages.model.pairs import PairCounts


class Transitions(PairCounts):
    """First-order transitions from item to item, popularity breaking ties."""

    reads = (ITEMS,)

    def count(self, sequences: Sequences) -> None:
        """See :meth:`CountingModel.count`."""
        n = self.config.items
        items, user = training_items(sequences)
        self.occurrences = torch.bincount(items, minlength=n + 1).float()
        same = user[1:] == user[:-1]
        pairs = (items[:-1] * (n + 1) + items[1:])[same]
        pairs, times = torch.unique(pairs, sorted=True, return_counts=True)
        self.keep(pairs, times.float())

    @property
    def counted(self) -> dict[str, Any]:
        """See :attr:`CountingModel.counted`."""
        return {"transitions": len(self.followers)}

    def scorer(self) -> Scorer:
        """See :meth:`Model.scorer`: the counts of the last item's followers."""
        share = self.occurrences / (1 + self.occurrences.max())

        def read(histories: Tensor, packing: Packing) -> Tiles:
            last = histories[packing.last]

            def tile(part: slice) -> Tensor:
                items = last[part]
                scores = share.expand(len(items), -1).contiguous()
                self.add_rows(scores, torch.arange(len(items), device=items.device), items)
                return scores

            return tile

        return read
