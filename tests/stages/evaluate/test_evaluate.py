import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from stages.artifacts.errors import DataError, QualityError, UsageError
from stages.artifacts.lineage import read_lineage
from stages.artifacts.names import CODES, METRICS, MODEL_CONFIG, MODEL_WEIGHTS, RANKS, SEQUENCES
from stages.artifacts.sequences import Sequences, read_sequences
from stages.evaluate import check_bars, evaluate, parse_bars
from stages.evaluate.bootstrap import bootstrap_means, intervals
from stages.evaluate.popularity import popularity_ranks
from stages.train import train


def test_bootstrap_agrees_with_the_normal_approximation():
    rng = np.random.default_rng(0)
    values = rng.random((2000, 2))
    low, high = intervals(bootstrap_means(values, np.arange(2000), samples=2000, seed=1))
    half = 1.96 * values.std(0) / np.sqrt(2000)
    np.testing.assert_allclose(low, values.mean(0) - half, atol=0.1 * half.max())
    np.testing.assert_allclose(high, values.mean(0) + half, atol=0.1 * half.max())


def test_bootstrap_draws_users_not_targets():
    # Ten targets of one user tell no more than one: intervals must not shrink by repeating them.
    rng = np.random.default_rng(0)
    values = rng.random((300, 1))
    once = bootstrap_means(values, np.arange(300), samples=500, seed=2)
    tenfold = bootstrap_means(np.repeat(values, 10, 0), np.repeat(np.arange(300), 10), samples=500, seed=2)
    np.testing.assert_allclose(once, tenfold)


def test_popularity_counts_what_was_known_before_the_split():
    items = np.array([1, 1, 2, 3, 2, 1, 3, 4], dtype=np.int32)
    sequences = Sequences(items, np.array([0, 4, 8]), np.array([2, 2]), np.array([3, 3]))
    # Known before validation: 1 1 2 1; before test also 2 and 3. Ties rank behind.
    assert popularity_ranks(sequences, "valid", np.array([1, 2, 3, 4]), 4).tolist() == [1, 2, 4, 4]
    assert popularity_ranks(sequences, "test", np.array([1, 2, 3, 4]), 4).tolist() == [1, 2, 3, 4]


@pytest.fixture
def trained(structured, small):
    train(workdir=structured, epochs=8, **small)
    return structured


def test_evaluation_of_a_trained_model(trained):
    result = evaluate(workdir=trained, cutoffs=(10, 5), bootstrap=200, device="cpu")
    ranks = pq.read_table(trained / RANKS)
    assert ranks.column_names == ["user_id", "target", "rank"]
    sequences = read_sequences(trained / SEQUENCES, user_ids=True)
    assert ranks["user_id"].to_pylist() == sequences.user_ids.to_pylist()
    assert ranks["target"].to_pylist() == sequences.items[sequences.offsets[1:] - 1].tolist()
    values = ranks["rank"].to_numpy()
    metrics = result.facts["metrics"]
    assert metrics["recall@10"]["mean"] == pytest.approx((values <= 10).mean())
    assert metrics["ndcg@5"]["mean"] == pytest.approx(np.where(values <= 5, 1 / np.log2(values + 1), 0).mean())
    assert metrics["mrr"]["mean"] == pytest.approx((1 / values).mean())
    for numbers in metrics.values():
        assert numbers["low"] <= numbers["mean"] <= numbers["high"]
    # The log follows groups of items, which popularity cannot know.
    assert metrics["recall@10"]["low"] > result.facts["popularity"]["recall@10"]["high"]
    saved = json.loads((trained / METRICS).read_text())
    assert saved["metrics"] == metrics
    assert read_lineage(trained / METRICS) == read_lineage(trained / RANKS)


def test_same_bytes_skipped_when_fresh_and_valid_split_differs(trained):
    evaluate(workdir=trained, bootstrap=50, device="cpu")
    first = (trained / METRICS).read_bytes(), (trained / RANKS).read_bytes()
    assert evaluate(workdir=trained, bootstrap=50, device="cpu").skipped
    assert not evaluate(workdir=trained, bootstrap=50, device="cpu", force=True).skipped
    assert ((trained / METRICS).read_bytes(), (trained / RANKS).read_bytes()) == first
    validation = evaluate(workdir=trained, split="valid", bootstrap=50, device="cpu")
    assert validation.facts["split"] == "valid"
    history = pq.read_table(trained / "model" / "history.parquet").to_pylist()
    best = max(row["ndcg@10"] for row in history)
    assert validation.facts["metrics"]["ndcg@10"]["mean"] == pytest.approx(best, abs=1e-6)


@pytest.mark.parametrize("kind", ["sasrec", "text", "codes"])
def test_baselines_are_evaluated_alike(structured, small, kind):
    train(workdir=structured, model=kind, epochs=1, **small)
    assert evaluate(workdir=structured, bootstrap=10, device="cpu").facts["model"] == kind


def test_model_and_items_of_different_runs_are_refused(trained, small):
    (trained / CODES).unlink()
    with pytest.raises(DataError, match=r"codes.parquet does not exist\nRun `cocorec quantize`"):
        evaluate(workdir=trained)


def test_swapped_weights_are_refused(trained, small):
    weights = (trained / MODEL_WEIGHTS).read_bytes()
    train(workdir=trained, epochs=1, seed=9, **small)
    (trained / MODEL_WEIGHTS).write_bytes(weights)
    with pytest.raises(DataError, match="different training runs"):
        evaluate(workdir=trained)


def test_damaged_weights_are_named(trained):
    data = (trained / MODEL_WEIGHTS).read_bytes()
    (trained / MODEL_WEIGHTS).write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match=r"model.safetensors"):
        evaluate(workdir=trained)


def test_missing_model_names_the_stage(structured):
    with pytest.raises(DataError, match=r"config.json does not exist\nRun `cocorec train`"):
        evaluate(workdir=structured)


def test_config_that_is_no_config(trained):
    (trained / MODEL_CONFIG).write_text('{"model": {"kind": "cocorec", "size": 3}}')
    with pytest.raises(DataError, match=r"config.json"):
        evaluate(workdir=trained)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"split": "train"}, "--split"),
        ({"cutoffs": []}, "--cutoffs"),
        ({"cutoffs": [0]}, "--cutoffs"),
        ({"bootstrap": 0}, "--bootstrap"),
        ({"device": "gpu"}, "--device"),
    ],
)
def test_wrong_options_are_named(trained, options, named):
    with pytest.raises(UsageError, match=named):
        evaluate(workdir=trained, **options)


def test_bars():
    known = ["recall@10", "ndcg@10"]
    assert parse_bars(["NDCG@10=0.05", "recall@10 = .1"], known) == {"ndcg@10": 0.05, "recall@10": 0.1}
    for wrong in ("ndcg@10", "ndcg@10=high", "ndcg@7=0.1", "ndcg@10=nan"):
        with pytest.raises(UsageError, match="--fail-under"):
            parse_bars([wrong], known)
    facts = {"split": "test", "metrics": {"ndcg@10": {"mean": 0.04}, "recall@10": {"mean": 0.2}}}
    check_bars(facts, {"ndcg@10": 0.04, "recall@10": 0.1})
    with pytest.raises(QualityError, match=r"ndcg@10 is 0.0400, below 0.05") as caught:
        check_bars(facts, {"ndcg@10": 0.05, "recall@10": 0.1})
    assert caught.value.exit_code == 4
