import numpy as np
import pytest
import torch
from models import config_of

from stages.artifacts.errors import NotFiniteError
from stages.artifacts.sequences import Sequences
from stages.model.popularity import Popularity
from stages.model.ranking import queries
from stages.train.validation import VALIDATION_METRICS, validate

ITEMS, USERS, LENGTH = 30, 40, 5


@pytest.fixture
def sequences() -> Sequences:
    """One validation target a user, the last but one item."""
    items = np.random.default_rng(0).integers(1, ITEMS + 1, USERS * LENGTH).astype(np.int32)
    offsets = np.arange(USERS + 1) * LENGTH
    return Sequences(items, offsets, np.full(USERS, LENGTH - 2), np.full(USERS, LENGTH - 1))


@pytest.fixture
def model() -> Popularity:
    """Counts of which some are equal."""
    model = Popularity(config_of("popularity", ITEMS))
    model.occurrences[1:] = torch.arange(ITEMS) // 2
    return model


def found(model: Popularity, sequences: Sequences) -> dict[str, float]:
    return validate(model, torch.from_numpy(sequences.items.astype(np.int64)), queries(sequences, "valid", 20))


def test_means_over_the_users_by_hand(model: Popularity, sequences: Sequences) -> None:
    metrics = found(model, sequences)
    counts = model.occurrences[1:].numpy()
    targets = sequences.items.reshape(USERS, LENGTH)[:, LENGTH - 2]
    ranks = np.array([(counts >= counts[target - 1]).sum() for target in targets])  # ties against the target
    assert 0 < (ranks <= 10).sum() < USERS
    assert list(metrics) == list(VALIDATION_METRICS)
    assert metrics["recall@10"] == pytest.approx((ranks <= 10).mean())
    assert metrics["ndcg@10"] == pytest.approx(np.where(ranks <= 10, 1 / np.log2(ranks + 1), 0).mean())
    assert metrics["mrr"] == pytest.approx((1 / ranks).mean())


def test_the_model_is_left_in_evaluation_mode_and_as_it_was(model: Popularity, sequences: Sequences) -> None:
    before = model.occurrences.clone()
    model.train()
    assert found(model, sequences) == found(model, sequences)
    assert not model.training
    assert torch.equal(model.occurrences, before)


def test_scores_have_to_be_finite(model: Popularity, sequences: Sequences) -> None:
    model.occurrences[3] = torch.nan
    with pytest.raises(NotFiniteError):
        found(model, sequences)
