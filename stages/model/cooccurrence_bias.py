"""What pairs of items in other histories say: candidates that often stood near the last items rank higher."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.artifacts.sequences import Sequences
from stages.model.distances import WeightedPairs, weighted_pairs
from stages.model.own_pairs import OwnPairs
from stages.model.packing import Packing
from stages.model.shifts import Shifts

_TIMES = 16
"""Buckets of a pair's count, each a factor of sqrt 2 wide; the first is around 2 ** -1.5."""

_OCCURRENCES = 10
"""Buckets of an item's occurrences, each a factor of 2 wide; the first is around 1."""

_ROUNDING = 1e-3
"""By how much a count in float32 may be off."""


class CooccurrenceBias(nn.Module):
    """A learned number per pair of one of the last items and a candidate that stood near it in other histories.

    A vector of a few dozen numbers forgets which two items were taken together; counts know it and nothing else. The
    number added to a candidate's similarity is the sum over the last items of three learned numbers: by how often the
    two were found together, by how often the item and by how often the candidate occurred, each for every age of the
    item. A softmax over all items teaches what such evidence is worth beside vectors.

    What a history itself tells of its own items is left out: in training, its next item would give itself away.
    An item that never occurred in training, or that a step treats so, has no counts, which says nothing against it:
    ``unknown`` () is learned to be worth as much as the counts that it might have.
    Items that it holds already are not shifted; :class:`stages.model.repeats.RepeatBias` is about them.

    Buffers, counted by :meth:`count`: ``starts`` (N + 2,) int64, the partners of item i are at ``starts[i]`` to
    ``starts[i + 1]``; ``partners`` (F,) int32, ascending within an item; ``times`` (F,) float32, see
    :class:`stages.model.distances.WeightedPairs`; ``least`` (N + 1,) float32, a count up to which may have been left
    out of the item's partners; ``occurrences`` (N + 1,) float32; ``backward`` ().

    Args:
        items: N.
        max_history: longest history, which bounds the distance of a pair.
        recent: how many of the last items are asked.
        partners: most partners that an item keeps.
    """

    starts: Tensor
    partners: Tensor
    times: Tensor
    least: Tensor
    occurrences: Tensor
    backward: Tensor
    keys: Tensor
    kinds: Tensor

    def __init__(self, items: int, max_history: int, recent: int, partners: int) -> None:
        super().__init__()
        self.items, self.max_history, self.recent, self.most = items, max_history, min(recent, max_history), partners
        self.by_times = nn.Parameter(torch.zeros(self.recent, _TIMES))
        self.by_item = nn.Parameter(torch.zeros(self.recent, _OCCURRENCES))
        self.by_candidate = nn.Parameter(torch.zeros(self.recent, _OCCURRENCES))
        self.unknown = nn.Parameter(torch.zeros(()))
        self.register_buffer("starts", torch.zeros(items + 2, dtype=torch.int64))
        self.register_buffer("partners", torch.zeros(0, dtype=torch.int32))
        self.register_buffer("times", torch.zeros(0))
        self.register_buffer("least", torch.zeros(items + 1))
        self.register_buffer("occurrences", torch.zeros(items + 1))
        self.register_buffer("backward", torch.ones(()))
        # Of each pair its key i (N + 1) + j, and the kind of pair that it is.
        self.register_buffer("keys", torch.zeros(0, dtype=torch.int64), persistent=False)
        self.register_buffer("kinds", torch.zeros(0, dtype=torch.int64), persistent=False)

    def count(self, sequences: Sequences) -> None:
        """Count in the training part of all histories."""
        n = self.items
        found = weighted_pairs(sequences, n, self.max_history)
        self.occurrences, self.backward = found.occurrences, found.backward
        kept, self.least = _most_frequent(found, n, self.most)
        keys, self.times = found.keys[kept], found.times[kept].float()
        self.starts = torch.searchsorted(keys, torch.arange(n + 2) * (n + 1))
        self.partners = (keys % (n + 1)).int()
        self._prepare()

    def forward(self, histories: Tensor, packing: Packing, queries: Tensor, following: Tensor | None) -> Shifts:
        """What the pairs say at some positions.

        Args:
            histories: (R,) packed item numbers.
            packing: where they lie.
            queries: (T,) ascending rows of ``histories``, the positions asked about.
            following: (B,) the item after each history, in training, where the counts are of these histories, too;
                ``None`` later.
        """
        own = OwnPairs.of(histories, packing, following)
        row, at = packing.rows[queries], packing.columns[queries]
        # One entry per query and last item: number of the query, age of the item, its place.
        place = at[:, None] - torch.arange(self.recent, device=at.device)
        query, age = (place >= 0).nonzero(as_tuple=True)
        place, history = place[query, age], row[query]
        first = age * _TIMES * _OCCURRENCES**2
        numbers = self._numbers()
        parts = [self._of_partners(query, first, own.items[history, place], numbers)]

        kind, known = self._look_up(own)
        known = known & ~own.repeated[:, None, :]
        entry, partner = known[history, place].nonzero(as_tuple=True)
        at_pair = (history[entry], place[entry], partner)
        taken = _read(numbers, first[entry] + kind[at_pair])
        parts.append(Shifts(query[entry], own.items[history[entry], partner], -taken))
        if following is not None:
            kind, known = self._without_own(own, known)
            later = torch.arange(own.items.shape[1], device=at.device) > at[query][:, None]
            entry, partner = (known[history, place] & later).nonzero(as_tuple=True)
            at_pair = (history[entry], place[entry], partner)
            given = _read(numbers, first[entry] + kind[at_pair])
            parts.append(Shifts(query[entry], own.items[history[entry], partner], given))
        return Shifts.merged(parts, len(queries))

    def _of_partners(self, query: Tensor, first: Tensor, items: Tensor, numbers: Tensor) -> Shifts:
        """Shifts of all partners of items (E,), each asked for a query (E,) from the number ``first`` (E,) on."""
        begin, count = self.starts[items], self.starts[items + 1] - self.starts[items]
        entry = torch.repeat_interleave(torch.arange(len(items), device=items.device), count)
        place = torch.arange(len(entry), device=items.device) - (count.cumsum(0) - count - begin)[entry]
        values = _read(numbers, first[entry] + self.kinds[place])
        return Shifts(query[entry], self.partners[place].long(), values)

    def _look_up(self, own: OwnPairs) -> tuple[Tensor, Tensor]:
        """Kind (B, L, L) of the histories' own pairs, and which of them are among the counted ones."""
        if not len(self.keys):
            return own.both.long(), torch.zeros_like(own.both)
        key = own.items[:, :, None] * (self.items + 1) + own.items[:, None, :]
        where = torch.searchsorted(self.keys, key).clamp_(max=len(self.keys) - 1)
        return self.kinds[where], own.both & (self.keys[where] == key)

    def _without_own(self, own: OwnPairs, known: Tensor) -> tuple[Tensor, Tensor]:
        """The same as if the history itself had not been counted; pairs that would not be kept then are unknown."""
        key = own.items[:, :, None] * (self.items + 1) + own.items[:, None, :]
        where = torch.searchsorted(self.keys, key).clamp_(max=max(0, len(self.keys) - 1))
        left = torch.zeros_like(known, dtype=self.times.dtype)
        if len(self.keys):
            left = self.times[where] - own.times(self.backward, self.max_history)
        known = known & (left > self.least[own.items][:, :, None] + _ROUNDING)
        occurred = self.occurrences[own.items]
        return _kind(left, occurred[:, :, None], (occurred - own.occurrences)[:, None, :]), known

    def _numbers(self) -> Tensor:
        """What is added for each age and kind of pair, (recent * kinds,)."""
        by_item, by_candidate = self.by_item[:, None, :, None], self.by_candidate[:, None, None, :]
        return (self.by_times[:, :, None, None] + by_item + by_candidate).flatten()

    def by_pair(self) -> Tensor:
        """What each pair adds (F, recent), by age of its item; to candidates that the history does not hold."""
        return self._numbers().view(self.recent, -1)[:, self.kinds].T

    def _prepare(self) -> None:
        """Work out what follows from the counts."""
        row = torch.repeat_interleave(torch.arange(self.items + 1, device=self.starts.device), self.starts.diff())
        partners = self.partners.long()
        self.keys = row * (self.items + 1) + partners
        self.kinds = _kind(self.times, self.occurrences[row], self.occurrences[partners])

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """Take counts of any number of pairs.

        Raises:
            ValueError: when they are of another catalogue.
        """
        for name in ("partners", "times"):
            found = state_dict.get(prefix + name)
            if found is not None and found.ndim == 1:
                setattr(self, name, getattr(self, name).new_zeros(len(found)))
        super()._load_from_state_dict(state_dict, prefix, *args)
        self._check()
        self._prepare()

    def _check(self) -> None:
        starts, partners = self.starts, self.partners
        pairs = len(partners)
        ascending = int(starts[0]) == 0 and int(starts[-1]) == pairs and bool((starts.diff() >= 0).all())
        inside = not pairs or (int(partners.min()) > 0 and int(partners.max()) <= self.items)
        if len(self.times) != pairs or not ascending or not inside:
            raise ValueError("the counts of pairs are of another catalogue")


def with_new_items(tensors: dict[str, Tensor], prefix: str, added: int) -> dict[str, Tensor]:
    """Saved counts with rows for items that came later: they occurred never and beside nothing.

    Args:
        tensors: of a model, by name.
        prefix: what the names of the counts begin with.
        added: how many items there are more.
    """
    starts = tensors[f"{prefix}starts"]
    padded = {name: F.pad(tensors[prefix + name], (0, added)) for name in ("least", "occurrences")}
    return {
        **tensors,
        **{prefix + name: tensor for name, tensor in padded.items()},
        f"{prefix}starts": torch.cat([starts, starts[-1:].expand(added)]),
    }


def with_other_items(
    tensors: dict[str, Tensor], prefix: str, theirs: Tensor, ours: Tensor, items: int
) -> dict[str, Tensor]:
    """Saved counts for another catalogue; what is not in it is left out, what is new occurred never.

    Args:
        tensors: of a model, by name.
        prefix: what the names of the counts begin with.
        theirs: (S,) numbers of the items that are in both, in the catalogue of the model.
        ours: (S,) their numbers in the other one.
        items: N of the other one.
    """
    starts, partners = tensors[f"{prefix}starts"], tensors[f"{prefix}partners"].long()
    number = torch.zeros(len(starts) - 1, dtype=torch.int64)
    number[theirs] = ours
    row = number[torch.repeat_interleave(torch.arange(len(starts) - 1), starts.diff())]
    partner = number[partners]
    kept = ((row > 0) & (partner > 0)).nonzero().squeeze(1)
    keys, order = (row * (items + 1) + partner)[kept].sort()
    found = {
        "starts": torch.searchsorted(keys, torch.arange(items + 2) * (items + 1)),
        "partners": (keys % (items + 1)).int(),
        "times": tensors[f"{prefix}times"][kept][order],
    }
    for name in ("least", "occurrences"):
        found[name] = tensors[prefix + name].new_zeros(items + 1)
        found[name][ours] = tensors[prefix + name][theirs]
    return {**tensors, **{prefix + name: tensor for name, tensor in found.items()}}


def _most_frequent(found: WeightedPairs, n: int, most: int) -> tuple[Tensor, Tensor]:
    """Which pairs (F,) are among the ``most`` most frequent of their item, and the largest count left out (N + 1,)."""
    item = found.keys // (n + 1)
    starts = torch.searchsorted(found.keys, torch.arange(n + 1) * (n + 1))
    order = torch.argsort(found.times, descending=True, stable=True)
    order = order[torch.argsort(item[order], stable=True)]
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order)) - starts[item]  # item is ascending, as it is after sorting
    left_out = (rank == most).nonzero().squeeze(1)
    least = torch.zeros(n + 1)
    least[item[left_out]] = found.times[left_out].float()
    return rank < most, least


def _kind(times: Tensor, item: Tensor, candidate: Tensor) -> Tensor:
    """The number of a kind of pair, from 0 on, by buckets of its count and of both items' occurrences."""
    found = _bucket(times, 0.5, -3, _TIMES)
    return (found * _OCCURRENCES + _bucket(item, 1.0, 0, _OCCURRENCES)) * _OCCURRENCES + _bucket(
        candidate, 1.0, 0, _OCCURRENCES
    )


def _bucket(values: Tensor, width: float, first: int, buckets: int) -> Tensor:
    """Number of the bucket, 0 to ``buckets`` - 1, by the logarithm to base 2; all are ``width`` wide there."""
    logarithm = values.clamp(min=2.0**-20).log() / (width * math.log(2.0))
    return (logarithm.round().long() - first).clamp_(0, buckets - 1)


def _read(numbers: Tensor, places: Tensor) -> Tensor:
    return F.embedding(places, numbers[:, None])[:, 0]
