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
from stages.model.distances import weighted_pairs
from stages.model.packing import Packing
from stages.model.pairs import PairCounts

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
        """See :meth:`CountingModel.count`."""
        n = self.config.items
        found = weighted_pairs(sequences, n, self.config.max_history)
        pairs, times, self.occurrences, self.backward = found.keys, found.times, found.occurrences, found.backward
        damping = self.occurrences.double().clamp(min=1) ** _DAMPING
        self.keep(pairs, (times * damping[pairs // (n + 1)]).float())
        if self.config.repeat_bias:
            self.repeats = _share_of_repeats(*training_items(sequences), n)

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


def _share_of_repeats(items: Tensor, user: Tensor, n: int) -> Tensor:
    """Share of the training items, but for a user's first, that the user had taken before; ()."""
    distinct = len(torch.unique(user * (n + 1) + items))
    first = len(torch.unique(user))
    return torch.tensor((len(items) - distinct) / max(1, len(items) - first))
