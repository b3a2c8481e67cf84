"""How popular items are, and the popularity baseline: everybody gets the most bought items."""

import numpy as np
import numpy.typing as npt

from stages.artifacts.sequences import Sequences
from stages.model.ranking import Queries

Integers = npt.NDArray[np.int64]

_QUERIES = 1 << 16
"""Queries whose whole histories are held at a time."""


def counts_before(sequences: Sequences, ends: Integers, items: int) -> Integers:
    """How often each of the N items occurs (N,) among the first ``ends`` (users,) items of each user."""
    within = np.arange(len(sequences.items)) - np.repeat(sequences.offsets[:-1], np.diff(sequences.offsets))
    known = within < np.repeat(ends, np.diff(sequences.offsets))
    return np.bincount(sequences.items[known], minlength=items + 1)[1:]


def popularity_ranks(
    sequences: Sequences, split: str, wanted: Queries, items: int, *, exclude_seen: bool = False
) -> Integers:
    """Rank of each target when items are ordered by how often they occur before the split; ties against the target.

    Args:
        sequences: all users.
        split: ``valid`` or ``test``; the counts take what a recommender could have seen by then.
        wanted: items to be found, with the histories.
        items: N.
        exclude_seen: items of the history are not ranked; a target among them stands at N + 1.
    """
    counts = counts_before(sequences, sequences.train_end if split == "valid" else sequences.valid_end, items)
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
