"""The model ``popularity``: everybody gets the items that occur most often; the baseline beside every evaluation."""

from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from stages.artifacts.names import ITEMS
from stages.artifacts.sequences import Sequences
from stages.model.base import CountingModel, Scorer, Tiles
from stages.model.catalogue import Catalogue
from stages.model.config import ModelConfig
from stages.model.packing import Packing
from stages.model.ranking import Queries

Integers = npt.NDArray[np.int64]

TRAINING, BEFORE_SPLIT = "training", "before the split"
"""The cuts: up to where in each history items are counted."""

_QUERIES = 1 << 16
"""Queries whose whole histories are held at a time."""


class Popularity(CountingModel):
    """Scores every item by how often it occurs in training, whatever the history.

    Buffers: ``occurrences`` (N + 1,) float32; 0 for item 0.
    """

    reads = (ITEMS,)
    occurrences: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.register_buffer("occurrences", torch.zeros(config.items + 1))

    @classmethod
    def restore(cls, config: ModelConfig, catalogue: Catalogue, tensors: dict[str, Tensor]) -> Self:
        """See :meth:`Model.restore`; files of version 0.1 hold empty counts of transitions beside it."""
        model = cls(config)
        model.load_state_dict({"occurrences": tensors["occurrences"]} if "occurrences" in tensors else {})
        return model

    @classmethod
    def with_new_items(cls, tensors: dict[str, Tensor], added: int) -> dict[str, Tensor]:
        """See :meth:`Model.with_new_items`: their count is 0."""
        return {**tensors, "occurrences": F.pad(tensors["occurrences"], (0, added))}

    def count(self, sequences: Sequences) -> None:
        """See :meth:`CountingModel.count`."""
        counts = occurrences(sequences, self.config.items, TRAINING)
        self.occurrences = torch.from_numpy(np.concatenate([[0], counts])).float()

    @property
    def counted(self) -> dict[str, Any]:
        """See :attr:`CountingModel.counted`."""
        return {"cut": TRAINING, "interactions": int(self.occurrences.sum())}

    def scorer(self) -> Scorer:
        """See :meth:`Model.scorer`: the same row for each history."""
        share = self.occurrences / (1 + self.occurrences.max())

        def read(histories: Tensor, packing: Packing) -> Tiles:
            return lambda part: share.expand(part.stop - part.start, -1).contiguous()

        return read


def occurrences(sequences: Sequences, items: int, cut: str, split: str = "test") -> Integers:
    """How often each item occurs, (N,).

    Args:
        sequences: all users.
        items: N.
        cut: ``training`` counts the training parts, ``before the split`` all that precedes the evaluated split, which
            is what a recommender could have seen by then.
        split: ``valid`` or ``test``.
    """
    ends = sequences.valid_end if (cut, split) == (BEFORE_SPLIT, "test") else sequences.train_end
    within = np.arange(len(sequences.items)) - np.repeat(sequences.offsets[:-1], np.diff(sequences.offsets))
    known = within < np.repeat(ends, np.diff(sequences.offsets))
    return np.bincount(sequences.items[known], minlength=items + 1)[1:]


def popularity_ranks(
    counts: Integers, sequences: Sequences, wanted: Queries, *, exclude_seen: bool = False
) -> Integers:
    """Rank of each target when items are ordered by their counts; ties against the target.

    The same ranks as :func:`stages.model.ranking.rank` finds with scores, in the time of a sort of the items.

    Args:
        counts: (N,) of :func:`occurrences`.
        sequences: all users.
        wanted: items to be found, with the histories.
        exclude_seen: items of the history are not ranked; a target among them stands at N + 1.
    """
    items = len(counts)
    ranks = items - np.searchsorted(np.sort(counts), counts[wanted.target - 1], side="left")
    for low in range(0, len(ranks) if exclude_seen else 0, _QUERIES):
        part = slice(low, low + _QUERIES)
        row, item = _seen(sequences, wanted, part, items)
        target = wanted.target[part][row]
        ahead = counts[item - 1] >= counts[target - 1]
        ranks[part] -= np.bincount(row[ahead], minlength=len(ranks[part]))
        ranks[part][row[item == target]] = items + 1
    return ranks


def _seen(sequences: Sequences, wanted: Queries, part: slice, items: int) -> tuple[Integers, Integers]:
    """The distinct pairs of a query, counted from the start of ``part``, and an item of its history."""
    first, lengths = wanted.first[part], (wanted.end - wanted.first)[part]
    row = np.repeat(np.arange(len(lengths)), lengths)
    within = np.arange(len(row)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    pairs = np.unique(row * (items + 1) + sequences.items[first[row] + within])
    return pairs // (items + 1), pairs % (items + 1)
