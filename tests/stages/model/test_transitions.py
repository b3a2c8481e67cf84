"""Transitions against counts made by walking through the histories."""

from collections import Counter
from itertools import pairwise

import pytest
import torch
from models import config_of

from stages.artifacts.names import SEQUENCES
from stages.artifacts.sequences import read_sequences
from stages.model import pairs
from stages.model.packing import Packing
from stages.model.transitions import Transitions


@pytest.mark.parametrize("entries", [1 << 20, 7])
def test_scores_are_the_counts_of_the_followers(structured, monkeypatch, entries):
    monkeypatch.setattr(pairs, "_ENTRIES", entries)
    sequences = read_sequences(structured / SEQUENCES)
    model = Transitions(config_of("transitions", 60))
    model.count(sequences)
    followed, occurred = Counter(), Counter()
    for start, end in zip(sequences.offsets[:-1], sequences.train_end, strict=True):
        items = sequences.items[start : start + end].tolist()
        occurred.update(items)
        followed.update(pairwise(items))
    assert followed
    assert model.counted == {"transitions": len(followed)}
    histories = torch.tensor([item for last in range(1, 61) for item in (61 - last, last)])
    tiles = model.scorer()(histories, Packing.of_lengths(torch.full((60,), 2)))
    scores = torch.cat([tiles(slice(0, 25)), tiles(slice(25, 60))])
    for last in range(1, 61):
        for item in range(1, 61):
            share = occurred[item] / (1 + max(occurred.values()))
            assert scores[last - 1, item].item() == pytest.approx(followed[last, item] + share, rel=1e-6)
