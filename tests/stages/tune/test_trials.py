import time

import optuna
import pytest
from optuna.trial import TrialState
from recording import Recorder

from stages.artifacts.errors import DataError, NotFiniteError
from stages.frame.result import Result
from stages.tune.folders import Folders
from stages.tune.space import read_space
from stages.tune.trials import OutOfTimeError, Trials, best_trial, require_sound

VALUES = {"rate": [0.25, 0.3, 0.5, 0.75, 0.9], "dim": [4, 5]}


@pytest.fixture
def said():
    return Recorder()


@pytest.fixture
def study():
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    pruner = optuna.pruners.MedianPruner(1, 2)
    return optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0), pruner=pruner)


@pytest.fixture
def run(structured, training, study, said):
    """Runs a trial with these options."""
    folders = Folders(structured)
    folders.prepare()

    def run(seeds=1, deadline=None, fixed=None, **params):
        space = read_space({"train": {name: VALUES[name] for name in params}}, training.stages)
        trials = Trials(
            study,
            workdir=structured,
            folders=folders,
            space=space,
            stages=training.stages,
            fixed={"train": fixed or {}},
            seeds=seeds,
            deadline=deadline,
            reporter=said,
        )
        study.enqueue_trial({f"train.{name}": value for name, value in params.items()})
        trials.run(study.ask())
        return study.trials[-1]

    return run


def test_the_value_of_a_trial_is_the_mean_of_its_seeds(run, training, said):
    trial = run(seeds=2, fixed={"seed": 3, "dim": 8}, rate=0.25)
    assert [(call["seed"], call["dim"]) for call in training.calls] == [(3, 8), (4, 8)]
    assert (trial.state, trial.value) == (TrialState.COMPLETE, 3.75)
    assert trial.user_attrs == {"values": [3.25, 4.25], "best_epochs": [6, 6]}
    assert trial.intermediate_values == pytest.approx({epoch: 0.25 * epoch / 6 for epoch in range(1, 7)})
    best = "; best so far: trial 0, 3.7500"
    assert said.infos == ["trial 0: train.rate 0.25", f"trial 0: validation ndcg@10 3.7500{best}"]


def test_a_trial_that_lags_behind_is_pruned(run, said):
    run(rate=0.9)
    trial = run(rate=0.3)
    assert trial.state == TrialState.PRUNED
    epoch = max(trial.intermediate_values)
    assert epoch < 6
    assert f"trial 1: pruned after epoch {epoch}, at best {0.3 * epoch / 6:.4f}" in said.infos[-1]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (NotFiniteError("epoch 1, step 2: the loss is not finite"), "epoch 1, step 2: the loss is not finite"),
        (MemoryError(), "out of memory: MemoryError"),
    ],
)
def test_what_a_trial_dies_of_is_noted(run, training, said, error, reason):
    def fail(epoch):
        raise error

    training.on_epoch = fail
    trial = run(rate=0.5)
    assert (trial.state, trial.user_attrs) == (TrialState.FAIL, {"reason": reason})
    assert said.warnings[-1] == f"trial 0 failed: {reason}"


def test_options_that_do_not_fit_together_fail_the_trial(run):
    assert run(dim=5).user_attrs == {"reason": "--heads 2 does not divide --dim 5"}


def test_a_trial_is_left_unfinished_when_the_time_is_over(run, study):
    with pytest.raises(OutOfTimeError):
        run(deadline=time.monotonic(), rate=0.5)
    (trial,) = study.trials
    assert trial.state == TrialState.RUNNING
    assert list(trial.intermediate_values) == [1]


def test_the_best_is_the_earliest_of_equal_ones(run, study):
    assert best_trial(study) is None
    for rate in (0.5, 0.75, 0.75):
        run(rate=rate)
    assert best_trial(study).number == 1


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"validation": 5, "best_epoch": 1},
        {"validation": {"ndcg@10": "0.5"}, "best_epoch": 1},
        {"validation": {"ndcg@10": float("nan")}, "best_epoch": 1},
        {"validation": {"ndcg@10": 0.5}, "best_epoch": [1]},
        {"diverged": "yes"},
        {"diverged": {"epoch": 1}},
    ],
    ids=str,
)
def test_a_folder_that_tells_no_value_is_named(run, training, facts, monkeypatch):
    monkeypatch.setattr(type(training), "__call__", lambda self, options, **more: Result("train", {}, facts))
    with pytest.raises(DataError, match=r"trial-0000.run-0.model.config\.json: its facts do not tell") as raised:
        run(rate=0.5)
    assert "Delete" in (raised.value.hint or "")


@pytest.mark.parametrize(
    ("attributes", "value", "reports"),
    [
        ({}, 0.5, {}),
        ({"values": 3, "best_epochs": [1]}, 0.5, {}),
        ({"values": ["x"], "best_epochs": [1]}, 0.5, {}),
        ({"values": [0.5], "best_epochs": [1], "reason": []}, 0.5, {}),
        ({"values": [0.5], "best_epochs": [1]}, float("inf"), {}),
        ({"values": [0.5], "best_epochs": [1]}, 0.5, {1: float("nan")}),
    ],
)
def test_a_journal_of_other_trials_is_refused(study, tmp_path, attributes, value, reports):
    study.add_trial(optuna.trial.create_trial(value=value, user_attrs=attributes, intermediate_values=reports))
    with pytest.raises(DataError, match="trial 0 is none that a search has noted"):
        require_sound(study, tmp_path / "study.jsonl")


def test_a_journal_of_its_own_is_taken(run, study, tmp_path):
    run(rate=0.5)
    require_sound(study, tmp_path / "study.jsonl")
