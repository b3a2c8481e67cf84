"""Items that training never sees."""

import numpy as np
import pyarrow as pa
import pytest
import torch
from safetensors.torch import load_file

from stages.artifacts.lineage import read_lineage
from stages.artifacts.names import MODEL_WEIGHTS, RANKS, SEQUENCES
from stages.artifacts.tables import read_table, write_table
from stages.evaluate import EvaluateOptions, evaluate
from stages.train import TrainOptions, train
from stages.train.windows import Sampler, every_position

UNSEEN = [4, 17, 60]


@pytest.fixture
def unseen(structured):
    """The work directory, in whose training parts some items do not occur; half of the users have one in test."""
    table = read_table(structured / SEQUENCES)
    rows = table.to_pylist()
    for number, row in enumerate(rows):
        row["items"] = [item if item not in UNSEEN else item - 1 for item in row["items"]]
        if number % 2:
            row["items"][-1] = UNSEEN[number % 3]
    found = pa.table({**table.to_pydict(), "items": [row["items"] for row in rows]}, schema=table.schema)
    write_table(structured / SEQUENCES, found, read_lineage(structured / SEQUENCES))
    return structured


def item_vectors(workdir, small, **options):
    train(TrainOptions(**{**small, "model": "text", "with_ids": True, "epochs": 3, **options}), workdir=workdir)
    return load_file(workdir / MODEL_WEIGHTS)["encoder.ids"]


@pytest.mark.parametrize("negatives", [0, 20])
def test_their_free_vectors_stay_zero(unseen, small, negatives):
    vectors = item_vectors(unseen, small, negatives=negatives)
    zero = ~vectors.any(1)
    assert zero.nonzero().flatten().tolist() == [0, *UNSEEN]
    vectors = item_vectors(unseen, small, negatives=negatives, unseen_negatives=True)
    assert vectors[UNSEEN].any(1).all()


def test_they_can_be_found(unseen, small):
    """As negatives they rank behind what is like them, although their texts say what to recommend."""
    found = {}
    for pushed_away in (False, True):
        item_vectors(unseen, small, epochs=15, unseen_negatives=pushed_away, cooccurrence_bias=False)
        facts = evaluate(EvaluateOptions(top=0, resamples=10), workdir=unseen).facts
        ranks = read_table(unseen / RANKS)
        of_unseen = ranks["rank"].to_numpy()[ranks["target_count"].to_numpy() == 0]
        assert facts["unseen_targets"] == len(of_unseen) == 150
        assert facts["unseen_metrics"]["recall@10"]["mean"] == pytest.approx((of_unseen <= 10).mean())
        found[pushed_away] = facts["unseen_metrics"]["mrr"]["mean"]
    assert found[False] > 1.5 * found[True]


def test_counts_do_not_speak_against_them(unseen, small):
    """They have none; an item that training treats as new now and then teaches what that is worth."""
    found = {}
    for rate in (0.0, 0.2):
        item_vectors(unseen, small, epochs=15, new_item_rate=rate)
        facts = evaluate(EvaluateOptions(top=0, resamples=10), workdir=unseen).facts
        found[rate] = facts["unseen_metrics"]["mrr"]["mean"]
    assert load_file(unseen / MODEL_WEIGHTS)["pairs.unknown"] > 0
    assert found[0.2] > 1.1 * found[0.0]


def test_where_all_are_seen_nothing_is_said(structured, small):
    train(TrainOptions(**{**small, "model": "popularity"}), workdir=structured)
    assert "unseen_metrics" not in evaluate(EvaluateOptions(top=0, resamples=10), workdir=structured).facts


def test_sasrec_pushes_them_away(unseen, small):
    """It cannot tell what they are like, and random vectors would be among its recommendations."""
    weights = []
    for unseen_negatives in (False, True):
        options = {**small, "model": "sasrec", "epochs": 2, "unseen_negatives": unseen_negatives}
        train(TrainOptions(**options), workdir=unseen, force=True)
        weights.append(load_file(unseen / MODEL_WEIGHTS)["encoder.table"])
    assert torch.equal(*weights)


def test_batches_carry_the_candidates(structured):
    from stages.artifacts.sequences import read_sequences

    sequences = read_sequences(structured / SEQUENCES)
    items = torch.from_numpy(sequences.items.astype(np.int64))
    windows, candidates = every_position(sequences, 6), torch.arange(1, 50)
    sampler = Sampler(items, windows, 32, 0, candidates)
    assert sampler.batch(sampler.order(0), 0).candidates is candidates
    sampler = Sampler(items, windows, 32, 0)
    assert sampler.batch(sampler.order(0), 0).candidates is None


@pytest.mark.parametrize("model", ["text", "cocorec", "codes", "unisrec"])
def test_items_are_treated_as_new_in_training_alone(structured, small, model):
    options = {**small, "model": model, "with_ids": True, "epochs": 1}
    weights = []
    for rate in (0.0, 0.5):
        train(TrainOptions(**options, new_item_rate=rate), workdir=structured)
        weights.append(load_file(structured / MODEL_WEIGHTS)["encoder.ids"])
        first, second = (
            evaluate(EvaluateOptions(top=0, resamples=10), workdir=structured, force=True).facts["metrics"]
            for _ in range(2)
        )
        assert first == second
    assert not torch.equal(*weights)
