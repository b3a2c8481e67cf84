"""The model ``cooccurrence``: which items stand near each other in histories.

An item-to-item neighbourhood that knows the order: pairs count by their distance, backward as much as the data have
order reversed, and the last items of a history say more than the earlier ones. The constants were chosen on the
validation splits of two Amazon data sets.

Reference: Sarwar et al., Item-based collaborative filtering recommendation algorithms, WWW 2001; weights by distance as
in Garg et al., Sequence and time aware neighborhood for session-based recommendations, SIGIR 2019.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from stages.artifacts.names import ITEMS
from stages.artifacts.sequences import Sequences
from stages.model.base import Scorer, Tiles, training_items
from stages.model.config import ModelConfig
from stages.model.packing import Packing
from stages.model.pairs import PairCounts

_DISTANCE = -0.5
"""A pair d items apart counts d to this power."""

_DAMPING = -0.5
"""An item's row is multiplied by its occurrences to this power, so that popular items of a history drown no others."""

_RECENCY = -1.0
"""A history's item of age a, 1 for the last, counts a to this power."""

_POPULARITY = 1e-4
"""Weight of the share of occurrences, small enough to do little more than break ties."""


class Cooccurrence(PairCounts):
    """Weighted counts of item pairs at most ``max_history`` apart, summed over the items of a history.

    A pair counts fully to the later item and with the weight ``backward`` (), a buffer, to the earlier one.
    With ``repeat_bias`` the scores of items that the history holds are multiplied by the share of training items that
    were repeats, buffer ``repeats`` (): a user's own pairs are among the counts and speak for them too loudly.
    """

    reads = (ITEMS,)
    searched: ClassVar[Mapping[str, Any]] = {"max_history": [1, 2, 3, 5, 10, 20, 50], "repeat_bias": [True, False]}
    repeats: Tensor
    backward: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.register_buffer("repeats", torch.ones(()))
        self.register_buffer("backward", torch.ones(()))

    def count(self, sequences: Sequences) -> None:
        """See :meth:`CountingModel.count`; one distance at a time, so that the pairs are never all held at once."""
        n = self.config.items
        items, user = training_items(sequences)
        self.occurrences = torch.bincount(items, minlength=n + 1).float()
        self.backward = _backward_weight(items, user, n)
        pairs, times = torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.float64)
        for distance in range(1, min(self.config.max_history, len(items) - 1) + 1):
            same = user[distance:] == user[:-distance]
            if not same.any():
                break
            earlier, later = items[:-distance][same], items[distance:][same]
            weight = distance**_DISTANCE
            found = torch.cat([earlier * (n + 1) + later, later * (n + 1) + earlier])
            weights = torch.full((2, len(earlier)), weight, dtype=torch.float64)
            weights[1] *= self.backward
            pairs, times = _summed(torch.cat([pairs, found]), torch.cat([times, weights.flatten()]))
        damping = self.occurrences.double().clamp(min=1) ** _DAMPING
        self.keep(pairs, (times * damping[pairs // (n + 1)]).float())
        if self.config.repeat_bias:
            self.repeats = _share_of_repeats(items, user, n)

    @property
    def knows_repeats(self) -> bool:
        """See :attr:`Model.knows_repeats`: it does where the share of repeats was counted."""
        return self.config.repeat_bias

    @property
    def counted(self) -> dict[str, Any]:
        """See :attr:`CountingModel.counted`."""
        return {"pairs": len(self.followers), "backward": float(self.backward)}

    def scorer(self) -> Scorer:
        """See :meth:`Model.scorer`: the rows of a history's items, by their age."""
        share = _POPULARITY * self.occurrences / (1 + self.occurrences.max())

        def read(histories: Tensor, packing: Packing) -> Tiles:
            age = (packing.last[packing.rows] - torch.arange(len(histories), device=histories.device) + 1).float()
            weights = age**_RECENCY

            def tile(part: slice) -> Tensor:
                bounds = torch.tensor([part.start, part.stop], device=histories.device)
                here = slice(*torch.searchsorted(packing.rows, bounds).tolist())
                rows, items = packing.rows[here] - part.start, histories[here]
                scores = torch.zeros(part.stop - part.start, self.config.items + 1, device=histories.device)
                self.add_rows(scores, rows, items, weights[here])
                scores[rows, items] = scores[rows, items] * self.repeats  # once, however often the item occurs
                return scores.add_(share)

            return tile

        return read


def _summed(pairs: Tensor, times: Tensor) -> tuple[Tensor, Tensor]:
    """Distinct pairs, ascending, and the sum of the weights of each."""
    distinct, place = torch.unique(pairs, sorted=True, return_inverse=True)
    return distinct, torch.zeros(len(distinct), dtype=times.dtype).index_add_(0, place, times)


def _backward_weight(items: Tensor, user: Tensor, n: int) -> Tensor:
    """How often pairs of neighbours are met again in the reverse order, to how often in the same one; () in [0, 1].

    It is 1 where order says nothing, and lower the more it says; 1 as well where no pair is ever met again.
    """
    next_to = (user[1:] == user[:-1]) & (items[1:] != items[:-1])
    earlier, later = items[:-1][next_to], items[1:][next_to]
    pairs, count = torch.unique(earlier * (n + 1) + later, sorted=True, return_counts=True)
    reverse = pairs % (n + 1) * (n + 1) + pairs // (n + 1)
    place = torch.searchsorted(pairs, reverse).clamp_(max=max(0, len(pairs) - 1))
    reversed_count = torch.where(pairs[place] == reverse, count[place], 0)
    same, opposite = int((count * (count - 1)).sum()), int((count * reversed_count).sum())
    return torch.tensor(min(1.0, opposite / same) if same else 1.0)


def _share_of_repeats(items: Tensor, user: Tensor, n: int) -> Tensor:
    """Share of the training items, but for a user's first, that the user had taken before; ()."""
    distinct = len(torch.unique(user * (n + 1) + items))
    first = len(torch.unique(user))
    return torch.tensor((len(items) - distinct) / max(1, len(items) - first))
