import json

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState, create_trial

from stages.artifacts.trials import TRIALS_SCHEMA
from stages.tune.table import SHOWN, facts, trials_table

RATE = {"train.rate": FloatDistribution(0, 1)}


def add(study, state, value=None, reports=(), params=None, **notes):
    """Add a trial that ended so."""
    params = {"train.rate": 0.5} if params is None else params
    distributions = {name: RATE.get(name) or CategoricalDistribution([value]) for name, value in params.items()}
    study.add_trial(
        create_trial(
            state=state,
            value=value,
            params=params,
            distributions=distributions,
            intermediate_values=dict(enumerate(reports, 1)),
            user_attrs=notes,
        )
    )


@pytest.fixture
def study():
    """One trial of each end, the second of them the best."""
    study = optuna.create_study(direction="maximize")
    noted = {"values": [0.3], "best_epochs": [2]}
    add(study, TrialState.COMPLETE, 0.2, [0.1, 0.2, 0.2], **noted)
    add(study, TrialState.COMPLETE, 0.3, [0.1, 0.3], {"train.rate": 0.75}, **noted)
    add(study, TrialState.PRUNED, 0.4, [0.4, 0.1])
    add(study, TrialState.FAIL, reports=[0.1], reason="out of memory")
    add(study, TrialState.WAITING, params={})
    return study


def test_a_row_per_trial_that_has_begun(study):
    table = trials_table(study)
    assert table.schema.names == [*TRIALS_SCHEMA.names, "train.rate"]
    found = {name: table[name].to_pylist() for name in table.column_names}
    assert found == {
        "trial": [0, 1, 2, 3],
        "state": ["complete", "complete", "pruned", "failed"],
        "ndcg@10": [0.2, 0.3, 0.4, 0.1],
        "epochs": [3, 2, 2, 1],
        "best_epoch": [2, 2, 1, 1],
        "validation": [[0.1, 0.2, 0.2], [0.1, 0.3], [0.4, 0.1], [0.1]],
        "reason": [None, None, None, "out of memory"],
        "train.rate": [0.5, 0.75, 0.5, 0.5],
    }


def test_values_of_several_kinds_are_texts():
    study = optuna.create_study(direction="maximize")
    for value, number in ((1, 1), ("auto", 2.5), (2, None)):
        params = {"train.dim": value} | ({} if number is None else {"train.step": number})
        add(study, TrialState.COMPLETE, 0.1, params=params)
    table = trials_table(study)
    assert table["train.dim"].to_pylist() == ["1", "auto", "2"]
    assert table["train.step"].to_pylist() == [1.0, 2.5, None]


def test_a_study_without_trials_has_the_columns():
    assert trials_table(optuna.create_study()).schema == TRIALS_SCHEMA


def test_facts_name_the_best_and_rank_those_complete_first(study):
    found = facts(study)
    assert json.loads(json.dumps(found)) == found
    assert found["trials"] == {"complete": 2, "pruned": 1, "failed": 1, "unfinished": 1}
    assert found["best"] == {"trial": 1, "validation_ndcg@10": 0.3, "each_seed": [0.3], "best_epoch": [2]}
    assert found["best_options"] == {"train.rate": 0.75}
    assert [row["trial"] for row in found["best_trials"]] == [1, 0, 2, 3]
    for _ in range(SHOWN):
        add(study, TrialState.FAIL)
    assert len(facts(study)["best_trials"]) == SHOWN
