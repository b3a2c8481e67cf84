"""The popularity model, and the ranks of the popularity baseline against counts and a full sort."""

from collections import Counter

import numpy as np
import torch
from models import config_of

from stages.artifacts.names import SEQUENCES
from stages.artifacts.sequences import Sequences, read_sequences
from stages.model import popularity
from stages.model.popularity import BEFORE_SPLIT, TRAINING, Popularity, occurrences, popularity_ranks
from stages.model.ranking import Queries, queries, rank


def _queries(sequences, targets, ends):
    first = np.repeat(sequences.offsets[0], len(targets))
    return Queries(np.zeros(len(targets), int), np.array(targets), first, first, first + ends)


def test_popularity_counts_what_was_known_before_the_split():
    items = np.array([1, 1, 2, 3, 2, 1, 3, 4], dtype=np.int32)
    sequences = Sequences(items, np.array([0, 4, 8]), np.array([2, 2]), np.array([3, 3]))
    # Known before validation: 1 1 2 1; before test also 2 and 3. Ties rank behind.
    every = _queries(sequences, [1, 2, 3, 4], 2)
    before_valid, before_test = (occurrences(sequences, 4, BEFORE_SPLIT, split) for split in ("valid", "test"))
    assert popularity_ranks(before_valid, sequences, every).tolist() == [1, 2, 4, 4]
    assert popularity_ranks(before_test, sequences, every).tolist() == [1, 2, 3, 4]
    assert occurrences(sequences, 4, TRAINING, "test").tolist() == before_valid.tolist()
    # The first user has seen 1, twice: the others move up, and 1 itself stands behind all.
    assert popularity_ranks(before_valid, sequences, every, exclude_seen=True).tolist() == [5, 1, 3, 3]


def test_popularity_without_seen_items_equals_a_full_sort(monkeypatch):
    monkeypatch.setattr(popularity, "_QUERIES", 7)
    rng = np.random.default_rng(0)
    lengths = rng.integers(3, 9, 40)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    sequences = Sequences(rng.integers(1, 21, offsets[-1]).astype(np.int32), offsets, lengths - 2, lengths - 1)
    wanted = queries(sequences, "test", 3)
    counts = occurrences(sequences, 20, BEFORE_SPLIT, "test")
    expected = []
    for target, first, end in zip(wanted.target, wanted.first, wanted.end, strict=True):
        seen = set(sequences.items[first:end].tolist())
        left = [i for i in range(1, 21) if i not in seen]
        expected.append(21 if target in seen else sum(counts[i - 1] >= counts[target - 1] for i in left))
    assert 21 in expected
    assert popularity_ranks(counts, sequences, wanted, exclude_seen=True).tolist() == expected


def test_ranks_by_occurrences_in_training(structured):
    sequences = read_sequences(structured / SEQUENCES)
    model = Popularity(config_of("popularity", 60))
    model.count(sequences)
    occurred = Counter(
        item
        for start, end in zip(sequences.offsets[:-1], sequences.train_end, strict=True)
        for item in sequences.items[start : start + end].tolist()
    )
    wanted = queries(sequences, "test", 20)
    ranking = rank(model, torch.from_numpy(sequences.items.astype(np.int64)), wanted, top=3)
    best = sorted(range(1, 61), key=lambda item: (-occurred[item], item))[:3]
    assert ranking.items.tolist() == [best] * len(wanted.user)
    for target, place in zip(wanted.target.tolist(), ranking.ranks.tolist(), strict=True):
        assert place == sum(occurred[item] >= occurred[target] for item in range(1, 61))
    counts = occurrences(sequences, 60, TRAINING)
    assert popularity_ranks(counts, sequences, wanted).tolist() == ranking.ranks.tolist()
    assert model.counted == {"cut": "training", "interactions": sum(occurred.values())}
