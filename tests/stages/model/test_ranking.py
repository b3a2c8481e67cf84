import numpy as np
import pytest
import torch

import stages.model.ranking as module
from stages.artifacts.sequences import Sequences
from stages.model.catalogue import read_catalogue
from stages.model.config import ModelConfig
from stages.model.metrics import mean_metrics, metric_names, per_rank
from stages.model.ranking import queries, target_ranks
from stages.model.recommender import Recommender


def test_metrics_of_known_ranks():
    values = per_rank(np.array([1, 2, 10, 11]), [1, 10])
    assert metric_names([1, 10]) == ["recall@1", "ndcg@1", "recall@10", "ndcg@10", "mrr"]
    ten = 1 / np.log2(11)
    expected = [
        [1, 1, 1, 1, 1],
        [0, 0, 1, 1 / np.log2(3), 1 / 2],
        [0, 0, 1, ten, 1 / 10],
        [0, 0, 0, 0, 1 / 11],
    ]
    np.testing.assert_allclose(values, expected)
    assert mean_metrics(np.array([1, 11]), [10])["recall@10"] == 0.5


@pytest.fixture
def model(structured):
    torch.manual_seed(0)
    catalogue = read_catalogue(structured, "cocorec", 8)
    model = Recommender(ModelConfig("cocorec", catalogue.items, 2, 4, 8, 8, dim=16, ffn_dim=32, fusion_ffn_dim=32))
    model.set_items(catalogue.codes, catalogue.texts, catalogue.present)
    torch.nn.init.normal_(model.repeats.by_age, std=0.3)
    return model.eval()


@pytest.fixture
def sequences():
    lengths = np.array([5, 1, 30, 4, 2])
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    items = np.random.default_rng(0).integers(1, 61, offsets[-1]).astype(np.int32)
    # The second user has nothing to rank by, the fourth two test items.
    return Sequences(items, offsets, np.array([3, 0, 28, 2, 2]), np.array([4, 0, 29, 2, 2]))


def test_queries(sequences):
    test = queries(sequences, "test", 20)
    assert test.user.tolist() == [0, 2, 3, 3]
    assert test.target.tolist() == sequences.items[[4, 35, 38, 39]].tolist()
    assert test.start.tolist() == [0, 15, 36, 36]
    assert test.end.tolist() == [4, 35, 38, 38]
    valid = queries(sequences, "valid", 20)
    assert valid.user.tolist() == [0, 2]
    assert valid.end.tolist() == [3, 34]


@pytest.mark.parametrize("budget", [1 << 23, 130])
def test_ranks_equal_a_full_sort(model, sequences, monkeypatch, budget):
    monkeypatch.setattr(module, "_SCORES", budget)
    wanted = queries(sequences, "test", 20)
    items = torch.from_numpy(sequences.items.astype(np.int64))
    ranks = target_ranks(model, items, wanted, batch_size=3)
    history, candidates = model.item_tables()
    candidates = torch.nn.functional.normalize(candidates[1:], dim=-1)
    for row in range(len(ranks)):
        read = items[wanted.start[row] : wanted.end[row]]
        layout = module.Layout.of_lengths(torch.tensor([len(read)]))
        user = torch.nn.functional.normalize(model.read(history, read, layout), dim=-1)[0]
        shifts = torch.zeros(len(candidates))
        for age, item in reversed(list(enumerate(reversed(read.tolist())))):  # a later place overrides an earlier one
            shifts[item - 1] = model.repeats.by_age[age]
        order = torch.argsort(candidates @ user + shifts, descending=True).tolist()
        assert ranks[row] == 1 + order.index(wanted.target[row] - 1)


def test_ties_count_against_the_target(model, sequences):
    # Two items that are the same in every way tie: each ranks behind the other.
    encoder = model.encoder
    for buffer in (encoder.rows, encoder.texts, encoder.present):
        buffer[1:] = buffer[1].clone()
    torch.nn.init.zeros_(model.repeats.by_age)
    wanted = queries(sequences, "test", 20)
    items = torch.from_numpy(sequences.items.astype(np.int64))
    assert target_ranks(model, items, wanted).tolist() == [60] * len(wanted.user)


def test_an_item_without_any_view_still_has_a_vector(model):
    model.encoder.set_items(torch.zeros(60, 4), torch.zeros(60, 2, 8), torch.zeros(60, 2, dtype=torch.bool))
    history, candidates = model.item_tables()
    assert torch.isfinite(history).all()
    assert torch.isfinite(candidates).all()


def test_a_missing_view_is_not_attended_to(model):
    # Whatever the vector of a missing view holds, the item is the same.
    torch.manual_seed(1)
    codes, texts = torch.randint(8, (60, 4)), torch.randn(60, 2, 8)
    present = torch.ones(60, 2, dtype=torch.bool)
    present[:30, 1] = False
    model.encoder.set_items(codes, texts, present)
    before = model.item_tables()[1].clone()
    texts[:, 1] += 10
    model.encoder.set_items(codes, texts, present)
    after = model.item_tables()[1]
    torch.testing.assert_close(after[1:31], before[1:31])
    assert (after[31:] - before[31:]).abs().max() > 1e-3
