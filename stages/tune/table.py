"""What is told of a search: a row per trial, and the best of them."""

from typing import Any

import optuna
import pyarrow as pa

from stages.artifacts.names import TrialColumns
from stages.artifacts.trials import TRIALS_SCHEMA
from stages.tune.study import state_name
from stages.tune.trials import BEST_EPOCHS, METRIC, REASON, VALUES, best_trial

_ROW = (
    TrialColumns.TRIAL,
    TrialColumns.STATE,
    TrialColumns.METRIC,
    TrialColumns.EPOCHS,
    TrialColumns.BEST_EPOCH,
)

SHOWN = 10
"""Trials in the table that is printed."""


def trials_table(study: optuna.Study) -> pa.Table:
    """One row per trial: number, state, value, epochs, validation per epoch, why it failed, and its options.

    The value of a trial that was pruned or is not finished is the best that it reached.
    """
    trials = [trial for trial in study.get_trials(deepcopy=False) if trial.params]
    rows = [_row(trial) for trial in trials]
    validation = [[value for _, value in sorted(trial.intermediate_values.items())] for trial in trials]
    found = {
        **{name: [row[name] for row in rows] for name in _ROW},
        TrialColumns.VALIDATION: validation,
        TrialColumns.REASON: [trial.user_attrs.get(REASON) for trial in trials],
    }
    columns: dict[str, pa.Array] = {field.name: pa.array(found[field.name], field.type) for field in TRIALS_SCHEMA}
    for name in dict.fromkeys(name for trial in trials for name in trial.params):
        values = [trial.params.get(name) for trial in trials]
        kinds = {type(value) for value in values if value is not None}
        mixed = len(kinds) > 1 and not kinds <= {int, float}
        columns[name] = pa.array([str(value) for value in values] if mixed else values)
    return pa.table(columns)


def facts(study: optuna.Study) -> dict[str, Any]:
    """What the search found, as JSON values: how many trials ended how, the best one, its options, the next best."""
    trials = study.get_trials(deepcopy=False)
    states = [state_name(trial) for trial in trials]
    best = best_trial(study)
    assert best is not None
    rows = [_row(trial) | trial.params for trial in trials if trial.params]
    ranked = sorted(rows, key=lambda row: (row[TrialColumns.STATE] != "complete", -(row[METRIC] or 0.0)))
    return {
        "trials": {state: states.count(state) for state in ("complete", "pruned", "failed", "unfinished")},
        "best": {
            TrialColumns.TRIAL: best.number,
            f"validation_{METRIC}": best.value,
            "each_seed": best.user_attrs[VALUES],
            TrialColumns.BEST_EPOCH: best.user_attrs[BEST_EPOCHS],
        },
        "best_options": best.params,
        "best_trials": ranked[:SHOWN],
    }


def _row(trial: optuna.trial.FrozenTrial) -> dict[str, Any]:
    reports = trial.intermediate_values
    reached = max(reports, key=lambda epoch: (reports[epoch], -epoch)) if reports else None
    complete = state_name(trial) == "complete"
    return {
        TrialColumns.TRIAL: trial.number,
        TrialColumns.STATE: state_name(trial),
        TrialColumns.METRIC: trial.value if complete else reports[reached] if reached else None,
        TrialColumns.EPOCHS: max(reports, default=0),
        TrialColumns.BEST_EPOCH: reached,
    }
