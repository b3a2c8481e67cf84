"""The counting baselines against counts made by walking through the histories."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch

from stages.artifacts.names import SEQUENCES
from stages.artifacts.sequences import read_sequences
from stages.model.config import ModelConfig
from stages.model.counting import Counts
from stages.model.ranking import queries, rank


def histories(sequences):
    for start, end in zip(sequences.offsets[:-1], sequences.train_end, strict=True):
        yield sequences.items[start : start + end].tolist()


@pytest.fixture
def sequences(structured):
    return read_sequences(structured / SEQUENCES)


def test_transitions(sequences):
    model = Counts.of_training(ModelConfig("transitions", 60), sequences)
    followed, occurred = Counter(), Counter()
    for items in histories(sequences):
        occurred.update(items)
        followed.update(pairwise(items))
    scores = model.scores(torch.arange(61))
    assert followed
    for last in range(1, 61):
        for item in range(1, 61):
            share = occurred[item] / (1 + max(occurred.values()))
            assert scores[last, item].item() == pytest.approx(followed[last, item] + share, rel=1e-6)


def test_popularity_ranks_by_occurrences(sequences):
    model = Counts.of_training(ModelConfig("popularity", 60), sequences)
    assert len(model.followers) == 0
    occurred = Counter(item for items in histories(sequences) for item in items)
    wanted = queries(sequences, "test", 20)
    ranking = rank(model, torch.from_numpy(sequences.items.astype(np.int64)), wanted, top=3)
    best = sorted(range(1, 61), key=lambda item: (-occurred[item], item))[:3]
    assert ranking.items.tolist() == [best] * len(wanted.user)
    for target, place in zip(wanted.target.tolist(), ranking.ranks.tolist(), strict=True):
        assert place == sum(occurred[item] >= occurred[target] for item in range(1, 61))
