import json
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from growth import grow
from recording import Recorder

from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.lineage import Lineage, read_lineage
from stages.artifacts.names import (
    BACKTEST,
    CODES,
    EMBEDDINGS,
    ITEMS,
    METRICS,
    MODEL_CONFIG,
    MODEL_WEIGHTS,
    RANKS,
    SEQUENCES,
)
from stages.artifacts.sequences import read_sequences
from stages.artifacts.tables import write_table
from stages.evaluate import EvaluateOptions, evaluate
from stages.model.files import load_tensors, save_tensors
from stages.model.registry import MODELS
from stages.train import TrainOptions, train


@pytest.fixture
def trained(structured, small):
    train(TrainOptions(model="cocorec", epochs=8, **small), workdir=structured)
    return structured


def test_evaluation_of_a_trained_model(trained):
    result = evaluate(EvaluateOptions(cutoffs=(10, 5), resamples=200, device="cpu"), workdir=trained)
    assert result.facts["threads"] == json.loads((trained / METRICS).read_text())["threads"] == torch.get_num_threads()
    ranks = pq.read_table(trained / RANKS)
    assert ranks.column_names == [
        *("user_id", "target", "rank", "ties", "other_rank", "other_ties", "history_length", "target_count")
    ]
    sequences = read_sequences(trained / SEQUENCES, user_ids=True)
    assert ranks["user_id"].to_pylist() == sequences.user_ids.to_pylist()
    assert ranks["target"].to_pylist() == sequences.items[sequences.offsets[1:] - 1].tolist()
    assert ranks["history_length"].to_pylist() == sequences.valid_end.tolist()
    in_training = Counter(
        item
        for user in range(sequences.users)
        for item in sequences.items[sequences.offsets[user] :][: sequences.train_end[user]].tolist()
    )
    assert ranks["target_count"].to_pylist() == [in_training[target] for target in ranks["target"].to_pylist()]
    groups = {group["group"]: group for group in result.facts["popularity_groups"]}
    assert sum(group["items"] for group in groups.values()) == 60
    assert sum(group["targets"] for group in groups.values()) == ranks.num_rows
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
    evaluate(EvaluateOptions(resamples=50, device="cpu"), workdir=trained)
    files = [trained / name for name in (METRICS, RANKS, BACKTEST)]
    first = [path.read_bytes() for path in files]
    assert evaluate(EvaluateOptions(resamples=50, device="cpu"), workdir=trained).skipped
    assert not evaluate(EvaluateOptions(resamples=50, device="cpu"), workdir=trained, force=True).skipped
    assert [path.read_bytes() for path in files] == first
    validation = evaluate(EvaluateOptions(split="valid", resamples=50, device="cpu"), workdir=trained)
    assert validation.facts["split"] == "valid"
    history = pq.read_table(trained / "model" / "history.parquet").to_pylist()
    best = max(row["ndcg@10"] for row in history)
    assert validation.facts["metrics"]["ndcg@10"]["mean"] == pytest.approx(best, abs=1e-6)


@pytest.mark.parametrize("model", MODELS)
def test_models_are_evaluated_alike(structured, small, model):
    train(TrainOptions(model=model, epochs=1, **small), workdir=structured)
    facts = evaluate(EvaluateOptions(resamples=10, device="cpu"), workdir=structured).facts
    assert facts["model"] == model
    assert facts["popularity_cut"] == "before the split"


def _lists(folder):
    return {row["user_id"]: row["item_ids"] for row in pq.read_table(folder / BACKTEST).to_pylist()}


def test_lists_agree_with_the_ranks_and_carry_original_ids(trained):
    facts = evaluate(EvaluateOptions(top=7, resamples=10, device="cpu"), workdir=trained).facts
    table = pq.read_table(trained / BACKTEST)
    assert table.column_names == ["user_id", "item_ids", "scores"]
    ranks = pq.read_table(trained / RANKS)
    assert table["user_id"].to_pylist() == ranks["user_id"].to_pylist()
    ids = pq.read_table(trained / ITEMS)["item_id"].to_pylist()
    lists = table["item_ids"].to_pylist()
    for items, scores, target, rank in zip(
        lists, table["scores"].to_pylist(), ranks["target"].to_pylist(), ranks["rank"].to_pylist(), strict=True
    ):
        assert len(set(items)) == len(items) == 7
        assert set(items) <= set(ids)
        assert scores == sorted(scores, reverse=True)
        # Items that tie with the target stand before it in the ranks, and in the order of their numbers in the list.
        if rank <= 7:
            assert ids[target - 1] in items
    beyond = facts["beyond_accuracy"]
    assert list(beyond) == ["coverage@7", "novelty@7", "arp@7", "gini@7", "diversity@7"]
    shown = Counter(item for items in lists for item in items)
    assert beyond["coverage@7"] == len(shown) / 60
    assert 0 < beyond["gini@7"] < 1
    assert 0 < beyond["diversity@7"] < 2


def test_excluding_what_was_seen(trained, small):
    open_facts = evaluate(EvaluateOptions(resamples=10, device="cpu"), workdir=trained).facts
    before = pq.read_table(trained / RANKS)["rank"].to_numpy()
    facts = evaluate(EvaluateOptions(resamples=10, exclude_seen=True, device="cpu"), workdir=trained).facts
    ranks = pq.read_table(trained / RANKS)["rank"].to_numpy()
    sequences = read_sequences(trained / SEQUENCES, user_ids=True)
    ids = pq.read_table(trained / ITEMS)["item_id"].to_pylist()
    lists = _lists(trained)
    misses = []
    for row, user in enumerate(sequences.user_ids.to_pylist()):
        items = sequences.items[sequences.offsets[row] : sequences.offsets[row + 1]].tolist()
        assert not {ids[item - 1] for item in items[:-1]} & set(lists[user])
        assert len(lists[user]) == 10
        misses.append(items[-1] in items[:-1])
    misses = np.array(misses)
    assert facts["seen_targets"] == misses.sum() > 0
    assert (ranks[misses] == 61).all()
    assert (ranks[~misses] <= before[~misses]).all()
    assert (ranks[~misses] < before[~misses]).any()
    assert facts["protocols"] == open_facts["protocols"]
    assert facts["metrics"] == open_facts["protocols"]["exclude_seen"]["metrics"] != open_facts["metrics"]
    assert facts["popularity"] == open_facts["protocols"]["exclude_seen"]["popularity"] != open_facts["popularity"]
    assert pq.read_table(trained / RANKS)["other_rank"].to_pylist() == before.tolist()
    assert facts["metrics"]["recall@10"]["mean"] == pytest.approx((ranks <= 10).mean())


def test_a_user_who_has_seen_nearly_all_gets_a_short_list(trained):
    evaluate(EvaluateOptions(top=200, exclude_seen=True, resamples=10, device="cpu"), workdir=trained)
    sequences = read_sequences(trained / SEQUENCES, user_ids=True)
    lists = _lists(trained)
    for row, user in enumerate(sequences.user_ids.to_pylist()):
        seen = set(sequences.items[sequences.offsets[row] :][: sequences.valid_end[row]].tolist())
        assert len(lists[user]) == 60 - len(seen)


def test_several_targets_of_a_user_share_a_list(trained, small):
    table = pq.read_table(trained / SEQUENCES)
    ends = [np.maximum(1, table[name].to_numpy() - 2) for name in ("train_end", "valid_end")]
    for name, end in zip(("train_end", "valid_end"), ends, strict=True):
        table = table.set_column(table.column_names.index(name), name, pa.array(end, pa.int32()))
    pq.write_table(table.replace_schema_metadata(None), trained / SEQUENCES)
    train(TrainOptions(model="cocorec", epochs=1, **small), workdir=trained)
    facts = evaluate(EvaluateOptions(resamples=10, device="cpu"), workdir=trained).facts
    assert facts["targets"] == 3 * facts["users"] == 3 * pq.read_table(trained / BACKTEST).num_rows


def test_no_lists(trained):
    evaluate(EvaluateOptions(resamples=10, device="cpu"), workdir=trained)
    (trained / ITEMS).unlink()
    with pytest.raises(DataError, match=r"items.parquet does not exist.*\n.*--top 0"):
        evaluate(EvaluateOptions(resamples=10, device="cpu"), workdir=trained)
    facts = evaluate(EvaluateOptions(top=0, resamples=10, device="cpu"), workdir=trained).facts
    assert facts["beyond_accuracy"] == {}
    # The lists of an earlier run do not stay beside metrics that know none.
    assert pq.read_table(trained / BACKTEST).num_rows == 0
    assert evaluate(EvaluateOptions(top=0, resamples=10, device="cpu"), workdir=trained).skipped


def test_diversity_of_a_model_without_texts(structured, small):
    train(TrainOptions(model="sasrec", epochs=1, **small), workdir=structured)
    facts = evaluate(EvaluateOptions(resamples=10, device="cpu"), workdir=structured).facts
    assert facts["beyond_accuracy"]["diversity@10"] > 0
    (structured / EMBEDDINGS).unlink()
    reporter = Recorder()
    result = evaluate(EvaluateOptions(resamples=10, device="cpu"), workdir=structured, reporter=reporter)
    assert not result.skipped
    assert "diversity@10" not in result.facts["beyond_accuracy"]
    assert "coverage@10" in result.facts["beyond_accuracy"]
    assert any("no embeddings.parquet" in message for message in reporter.infos)


def test_items_of_another_size_are_refused(structured, small):
    train(TrainOptions(model="text", epochs=1, **small), workdir=structured)
    write_table(structured / ITEMS, pq.read_table(structured / ITEMS).slice(0, 59), Lineage("preprocess", {}, {}))
    with pytest.raises(DataError, match=r"items.parquet has 59 items, the model knows 60"):
        evaluate(EvaluateOptions(device="cpu"), workdir=structured)


def test_weights_that_are_not_finite_are_refused(trained):
    tensors, metadata = load_tensors(trained / MODEL_WEIGHTS)
    name = next(name for name in tensors if name.startswith("backbone."))
    save_tensors(trained / MODEL_WEIGHTS, {**tensors, name: tensors[name] * float("nan")}, metadata)
    with pytest.raises(DataError, match="scores are not finite"):
        evaluate(EvaluateOptions(device="cpu"), workdir=trained)


def test_model_and_items_of_different_runs_are_refused(trained, small):
    (trained / CODES).unlink()
    with pytest.raises(DataError, match=r"codes.parquet does not exist\nRun `cocorec quantize`"):
        evaluate(workdir=trained)


def test_swapped_weights_are_refused(trained, small):
    weights = (trained / MODEL_WEIGHTS).read_bytes()
    train(TrainOptions(model="cocorec", epochs=1, seed=9, **small), workdir=trained)
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
        ({"top": -1}, "--top"),
        ({"resamples": 0}, "--resamples"),
        ({"device": "gpu"}, "--device"),
    ],
)
def test_wrong_options_are_named(trained, options, named):
    with pytest.raises(UsageError, match=named):
        evaluate(EvaluateOptions(**options), workdir=trained)


def test_emulated_bfloat16_is_warned_of(trained, monkeypatch):
    # Another processor cannot be had in a test.
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": False}, raising=False)
    options = EvaluateOptions(precision="bfloat16", resamples=20, device="cpu", threads=2)
    result = evaluate(options, workdir=trained)
    assert any("no instructions for it" in said for said in result.warnings)
    assert result.facts["threads"] == 2


def test_new_items_are_boosted(trained):
    grow(trained)
    result = evaluate(EvaluateOptions(top=3, resamples=20, device="cpu", new_item_boost=2.0), workdir=trained)
    assert all(set(row[:2]) == {"new-a", "new-b"} for row in pq.read_table(trained / BACKTEST)["item_ids"].to_pylist())
    plain = evaluate(EvaluateOptions(top=3, resamples=20, device="cpu"), workdir=trained)
    assert not plain.skipped
    assert plain.facts["metrics"]["ndcg@10"]["mean"] > result.facts["metrics"]["ndcg@10"]["mean"]
