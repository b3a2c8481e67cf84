import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from recording import Recorder

from stages.artifacts.errors import NotFiniteError
from stages.artifacts.names import HISTORY, MODEL_CONFIG, MODEL_WEIGHTS
from stages.evaluate import EvaluateOptions, evaluate
from stages.model.files import load_tensors
from stages.train import TrainOptions, train
from stages.train.finite import DivergedError, FiniteLosses


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_a_cpu_is_asked_at_every_step(bad):
    losses = FiniteLosses(torch.device("cpu"))
    losses.watch(1, {"loss": torch.tensor(1e30), "rec": torch.tensor(0.0)})
    with pytest.raises(DivergedError, match="step 2: a loss is not finite"):
        losses.watch(2, {"loss": torch.tensor(1.0), "rec": torch.tensor(bad)})


def test_another_device_is_asked_now_and_then_and_tells_the_first_step():
    losses = FiniteLosses(torch.device("cpu"))
    losses._interval = 32
    for step in range(1, 32):
        losses.watch(step, {"loss": torch.tensor(float("nan") if step >= 7 else 1.0)})
    with pytest.raises(DivergedError, match="step 7: "):
        losses.watch(32, {"loss": torch.tensor(1.0)})
    with pytest.raises(DivergedError, match="step 7: "):
        losses.check()


@pytest.fixture
def diverging(small):
    """Options with which training goes well for some epochs and then diverges."""
    return TrainOptions(model="sasrec", epochs=40, patience=40, **{**small, "learning_rate": 2e5, "warmup_steps": 60})


def test_training_ends_where_it_diverges_and_keeps_the_best_epoch_before(structured, diverging):
    reporter = Recorder()
    facts = train(diverging, workdir=structured, reporter=reporter).facts
    history = pq.read_table(structured / HISTORY).to_pylist()
    diverged = facts["diverged"]
    assert diverged["epoch"] == facts["epochs"] + 1 == len(history) + 1 <= 40
    assert history[-1]["step"] == facts["steps"] < diverged["step"]
    assert facts["best_epoch"] == max(history, key=lambda row: row["ndcg@10"])["epoch"]
    assert facts["validation"]["recall@10"] < 1
    (warning,) = reporter.warnings
    assert warning.startswith(f"epoch {diverged['epoch']}, step {diverged['step']}: {diverged['reason']}")
    assert "--learning-rate, which is 200000" in warning
    assert f"the weights of epoch {facts['best_epoch']}" in warning
    for tensor in load_tensors(structured / MODEL_WEIGHTS)[0].values():
        assert torch.isfinite(tensor).all()
    assert all(np.isfinite(value) for row in history for value in row.values())
    found = evaluate(EvaluateOptions(split="valid", resamples=10, device="cpu"), workdir=structured).facts
    assert found["metrics"]["ndcg@10"]["mean"] == pytest.approx(facts["validation"]["ndcg@10"], abs=1e-6)
    # The same command is up to date, and begun anew it ends at the same place.
    assert train(diverging, workdir=structured).skipped
    assert train(diverging, workdir=structured, force=True).facts == facts
    json.loads((structured / MODEL_CONFIG).read_text(), parse_constant=pytest.fail)


def test_without_any_finite_epoch_there_is_no_model(structured, small):
    options = TrainOptions(model="sasrec", temperature=1e-40, **small)
    with pytest.raises(
        NotFiniteError, match=r"epoch 1, step 1: a loss is not finite.*\nLower --learning-rate"
    ) as error:
        train(options, workdir=structured)
    assert error.value.exit_code == 3
    assert not (structured / MODEL_WEIGHTS).exists()


def test_weights_that_give_no_finite_scores_on_validation_end_it_too(structured, small, monkeypatch):
    # The losses of the last step of an epoch are finite; what the step makes of the weights is not.
    from stages.train.adamw import AdamW

    steps = train(TrainOptions(model="sasrec", epochs=1, **small), workdir=structured).facts["steps"]
    step, taken = AdamW.step, []

    def spoil(self):
        step(self)
        taken.append(1)
        if len(taken) == 2 * steps:
            for parameter in self.state:
                parameter.data.fill_(float("nan"))

    monkeypatch.setattr(AdamW, "step", spoil)
    facts = train(TrainOptions(model="sasrec", epochs=4, **small), workdir=structured, force=True).facts
    assert facts["diverged"] == {"epoch": 2, "step": 2 * steps, "reason": "the scores on validation are not finite"}
    assert (facts["epochs"], facts["best_epoch"]) == (1, 1)
