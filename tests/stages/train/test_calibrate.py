"""The choice on validation, by real trainings."""

import numpy as np
import pyarrow as pa
import pytest
import torch
from recording import Recorder

from stages.artifacts.lineage import read_lineage
from stages.artifacts.names import HISTORY, MODEL_CONFIG, MODEL_WEIGHTS, SEQUENCES
from stages.artifacts.sequences import read_sequences
from stages.artifacts.tables import read_table, write_table
from stages.evaluate import EvaluateOptions, evaluate
from stages.model.files import load_model, load_tensors
from stages.model.ranking import queries
from stages.train import TrainOptions, train
from stages.train import calibrate as module
from stages.train.calibrate import PAIR_FACTORS, TEXT_WEIGHTS, calibrate, gains

SHORT = {"model": "text", "epochs": 1}


@pytest.fixture
def alike(structured):
    """The work directory, where each user takes items of one group, whose texts are alike."""
    table = read_table(structured / SEQUENCES)
    rows = [[(item - 1) // 6 * 6 + user % 6 + 1 for item in row] for user, row in enumerate(table["items"].to_pylist())]
    found = pa.table({**table.to_pydict(), "items": rows}, schema=table.schema)
    write_table(structured / SEQUENCES, found, read_lineage(structured / SEQUENCES))
    return structured


@pytest.fixture
def trained(alike, small):
    """The same with a model that has learned little, so that texts and counts have something to add."""
    train(TrainOptions(**{**small, **SHORT}), workdir=alike)
    return alike


@pytest.fixture
def uncalibrated(trained):
    """The model as it was before the choice, the items of all histories, and the targets of validation."""
    model = load_model(trained, torch.device("cpu")).model
    model.calibration.text_weight.zero_()
    model.calibration.pair_factor.fill_(1.0)
    model.calibration.forget()
    sequences = read_sequences(trained / SEQUENCES)
    wanted = queries(sequences, "valid", model.config.max_history)
    return model, torch.from_numpy(sequences.items.astype("int64")), wanted


def test_what_train_tells_is_what_evaluate_finds(trained):
    facts = read_lineage(trained / MODEL_CONFIG).facts
    assert facts["calibration"]["text_weight"] in TEXT_WEIGHTS
    assert facts["calibration"]["pair_factor"] in PAIR_FACTORS
    assert facts["calibration"] != {"text_weight": 0.0, "pair_factor": 1.0}
    found = evaluate(EvaluateOptions(split="valid"), workdir=trained).facts["protocols"]["all_items"]["metrics"]
    assert found["ndcg@10"]["mean"] == pytest.approx(facts["validation"]["ndcg@10"], abs=1e-9)
    best = max(read_table(trained / HISTORY)["ndcg@10"].to_pylist())
    assert facts["validation"]["ndcg@10"] > best


def test_it_changes_nothing_that_is_learned(trained, small):
    before, _ = load_tensors(trained / MODEL_WEIGHTS)
    train(TrainOptions(**{**small, **SHORT, "calibrate": False}), workdir=trained)
    after, _ = load_tensors(trained / MODEL_WEIGHTS)
    assert {name for name in before if name not in after} == {
        f"calibration.{name}" for name in ("text_weight", "pair_factor", "nearest", "cosines")
    }
    assert all(torch.equal(before[name], after[name]) for name in after)
    assert "calibration" not in read_lineage(trained / MODEL_CONFIG).facts


def test_what_is_no_better_stays_as_it_was(uncalibrated, monkeypatch):
    model, items, wanted = uncalibrated
    # Where every value is as good as what was learned, nothing is chosen.
    monkeypatch.setattr(module, "gains", lambda *_: np.full(len(wanted.target), 0.25))
    told = Recorder()
    assert calibrate(model, items, wanted, told) == {"text_weight": 0.0, "pair_factor": 1.0}
    assert not len(model.calibration.nearest)
    assert told.infos[-1].startswith("calibration: left as learned")


def test_a_gain_within_chance_is_not_taken(uncalibrated, monkeypatch):
    model, items, wanted = uncalibrated

    def noisy(*_):
        found = np.full(len(wanted.target), 0.5)
        if float(model.calibration.text_weight) or float(model.calibration.pair_factor) != 1:
            found[:2] += [0.02, -0.01]
        return found

    monkeypatch.setattr(module, "gains", noisy)
    told = Recorder()
    assert calibrate(model, items, wanted, told) == {"text_weight": 0.0, "pair_factor": 1.0}
    mean = 0.5 + 0.01 / len(wanted.target)
    assert told.infos[-1].endswith(f"validation ndcg@10 0.5000, with them {mean:.4f}")


def test_the_best_of_the_values_is_taken(uncalibrated, monkeypatch):
    model, items, wanted = uncalibrated
    rng = np.random.default_rng(0).random(len(wanted.target)) * 0.01

    def peaked(*_):
        text, pairs = float(model.calibration.text_weight), float(model.calibration.pair_factor)
        return rng + 1 - abs(text - 0.1) - abs(pairs - 1.7)

    monkeypatch.setattr(module, "gains", peaked)
    told = Recorder()
    assert calibrate(model, items, wanted, told) == {"text_weight": 0.1, "pair_factor": 1.7}
    assert "neighbours by text weigh 0.1, counts of pairs 1.7 times what was learned" in told.infos[-1]


def test_many_items_have_no_neighbours_looked_for(uncalibrated, monkeypatch):
    monkeypatch.setattr(module, "_MOST_ITEMS", 10)
    model, items, wanted = uncalibrated
    told = Recorder()
    assert calibrate(model, items, wanted, told)["text_weight"] == 0.0
    assert told.infos[0] == "more than 10 items: their neighbours by text are not looked for"


def test_a_part_of_the_targets_is_looked_at(uncalibrated, monkeypatch):
    model, items, wanted = uncalibrated
    seen = []
    monkeypatch.setattr(module, "_TARGETS", 20)
    monkeypatch.setattr(module, "gains", lambda *given: seen.append(len(given[2].target)) or gains(*given))
    calibrate(model, items, wanted, Recorder())
    assert set(seen) == {20}


def test_models_without_counts_and_texts_have_nothing_to_choose(structured, small):
    result = train(
        TrainOptions(**{**small, "model": "sasrec", "cooccurrence_bias": False, "epochs": 1}), workdir=structured
    )
    assert "calibration" not in result.facts
    result = train(TrainOptions(**{**small, "model": "sasrec", "epochs": 1}), workdir=structured)
    assert result.facts["calibration"]["text_weight"] == 0.0


def test_a_warm_start_chooses_anew(trained, small):
    options = TrainOptions(**{**small, "model": "text", "epochs": 1, "init_from": trained})
    facts = train(options, workdir=trained).facts
    assert set(facts["calibration"]) == {"text_weight", "pair_factor"}
    for calibrated in (False, True):
        train(
            TrainOptions(**{**small, "model": "text", "epochs": 1, "init_from": trained, "calibrate": calibrated}),
            workdir=trained,
        )
