"""Co-occurrences against sums made by walking through the histories."""

from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np
import pytest
import torch
from models import config_of

from stages.artifacts.names import SEQUENCES
from stages.artifacts.sequences import Sequences, read_sequences
from stages.model import pairs
from stages.model.cooccurrence import Cooccurrence
from stages.model.ranking import pack, queries, rank

WINDOW = 4


def training(sequences):
    for start, end in zip(sequences.offsets[:-1], sequences.train_end, strict=True):
        yield sequences.items[start : start + end].tolist()


def backward(sequences):
    """Of two neighbours that are met again, how often in the reverse order for each time in the same."""
    met = Counter(pair for items in training(sequences) for pair in pairwise(items) if pair[0] != pair[1])
    same = sum(count * (count - 1) for count in met.values())
    return min(1, sum(count * met[later, earlier] for (earlier, later), count in met.items()) / same)


def naive_scores(sequences, history, repeat_share):
    """Scores (N + 1,) of one history, by the definition."""
    occurred, weight, back = Counter(), defaultdict(float), backward(sequences)
    for items in training(sequences):
        occurred.update(items)
        for at, earlier in enumerate(items):
            for distance, later in enumerate(items[at + 1 : at + 1 + WINDOW], 1):
                weight[earlier, later] += distance**-0.5
                weight[later, earlier] += back * distance**-0.5
    scores = np.zeros(61)
    for age, item in enumerate(reversed(history), 1):
        for other in range(1, 61):
            scores[other] += weight[item, other] / (age * max(1, occurred[item]) ** 0.5)
    for item in set(history):
        scores[item] *= repeat_share
    return scores + [1e-4 * occurred[item] / (1 + max(occurred.values())) for item in range(61)]


@pytest.fixture
def sequences(structured):
    return read_sequences(structured / SEQUENCES)


@pytest.fixture(params=[True, False], ids=["repeat bias", "no repeat bias"])
def model(request, sequences):
    model = Cooccurrence(config_of("cooccurrence", 60, max_history=WINDOW, repeat_bias=request.param))
    model.count(sequences)
    return model.eval()


@pytest.mark.parametrize("entries", [1 << 20, 50])
def test_scores_are_those_of_the_definition(sequences, model, monkeypatch, entries):
    monkeypatch.setattr(pairs, "_ENTRIES", entries)
    repeats = sum(len(items) - len(set(items)) for items in training(sequences))
    targets = sum(len(items) - 1 for items in training(sequences))
    share = repeats / targets if model.config.repeat_bias else 1.0
    assert 0 < repeats < targets
    assert 0 < backward(sequences) < 0.5
    assert model.counted["backward"] == pytest.approx(backward(sequences))
    wanted = queries(sequences, "test", WINDOW)
    start, end = torch.from_numpy(wanted.start[:40]), torch.from_numpy(wanted.end[:40])
    histories, packing = pack(torch.from_numpy(sequences.items.astype(np.int64)), start, end)
    tiles = model.scorer()(histories, packing)
    scores = torch.cat([tiles(slice(0, 13)), tiles(slice(13, 40))])
    for row in range(40):
        history = sequences.items[wanted.start[row] : wanted.end[row]].tolist()
        np.testing.assert_allclose(scores[row, 1:], naive_scores(sequences, history, share)[1:], rtol=1e-5)


def test_the_catalogue_is_ranked_alike_tile_by_tile(sequences, model, monkeypatch):
    items, wanted = torch.from_numpy(sequences.items.astype(np.int64)), queries(sequences, "test", WINDOW)
    whole = rank(model, items, wanted, top=5)
    monkeypatch.setattr("stages.model.ranking._SCORES", 1)
    monkeypatch.setattr("stages.model.ranking._AT_LEAST", 3)
    tiled = rank(model, items, wanted, top=5, batch_size=7)
    assert (tiled.ranks == whole.ranks).all()
    assert (tiled.items == whole.items).all()


def test_popularity_ranks_what_never_stood_near(model):
    other = Sequences(np.array([1, 2, 3, 3, 4, 4, 4], np.int32), np.array([0, 2, 4, 7]), *[np.array([2, 2, 3])] * 2)
    model.count(other)
    scores = model.scorer()(*pack(torch.tensor([1]), torch.tensor([0]), torch.tensor([1])))(slice(0, 1))[0]
    assert scores[1:6].argsort(descending=True).tolist() == [1, 3, 2, 0, 4]
    assert scores[2] > 0.1
    assert 0 < scores[3] < scores[4] < 1e-3


def test_users_of_one_item_leave_nothing_to_count(model):
    lonely = Sequences(np.array([1, 2, 2], np.int32), np.array([0, 1, 2, 3]), *[np.array([1, 1, 1])] * 2)
    model.count(lonely)
    assert model.counted == {"pairs": 0, "backward": 1.0}
    scores = model.scorer()(*pack(torch.tensor([1]), torch.tensor([0]), torch.tensor([1])))(slice(0, 1))[0]
    assert scores[2] > scores[1] > scores[3] == 0
