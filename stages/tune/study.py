"""The study on disk: Optuna's journal, one JSON object with its check a line, and the trials in it.

The sampler is TPE, Optuna's own choice for spaces like these. The pruner is the median rule. Optuna's documentation
finds Hyperband stronger, and tells at the same place that with TPE each of its brackets wants more than ten trials
before it learns anything: forty and more, where a search here has thirty. Successive halving keeps a quarter at its
first rung, and slow starters, those of low learning rates and high dropout, often end best here. The median rule
drops a trial only when all it ever reached is below what half of the finished trials had in the same epoch.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.storages import JournalStorage
from optuna.trial import FrozenTrial, Trial, TrialState

from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.journal import check_journal
from stages.artifacts.names import STUDY, TUNE_DIR
from stages.tune.journal import CheckedJournal

NAME = "cocorec"
_SEARCH = "search"

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


def open_study(
    workdir: Path,
    search: Mapping[str, Any],
    first: Mapping[str, Any],
    *,
    startup_trials: int,
    warmup_epochs: int,
    resume: bool | None,
) -> optuna.Study:
    """Open the study of a work directory, or begin one.

    Args:
        workdir: the work directory.
        search: all that decides the outcome; a study of another search is not continued.
        first: options of the first trial; those left out are drawn.
        startup_trials: finished trials before any is pruned.
        warmup_epochs: epochs of each trial before it may be pruned.
        resume: ``True`` insists on a study that is there, ``False`` deletes it.

    Raises:
        UsageError: when the study that is there is of another search.
        DataError: when there is none to resume, or it is damaged, naming the line.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path = workdir / STUDY
    if resume is False:
        shutil.rmtree(workdir / TUNE_DIR, ignore_errors=True)
    if resume and not path.exists():
        raise DataError(f"{path} does not exist: there is no search to --resume", "Leave --resume out to begin one.")
    path.parent.mkdir(parents=True, exist_ok=True)
    _mend(path)
    # Few trials come far, and those are the best: a median of one or two of them would end all others there.
    least = min(3, startup_trials)
    pruner = optuna.pruners.MedianPruner(startup_trials, warmup_epochs + 1, n_min_trials=least)
    try:
        storage = JournalStorage(CheckedJournal(path))
        if NAME in optuna.get_all_study_names(storage):
            study = optuna.load_study(study_name=NAME, storage=storage, pruner=pruner)
        else:
            study = optuna.create_study(study_name=NAME, storage=storage, pruner=pruner, direction="maximize")
        recorded = study.user_attrs.get(_SEARCH)
    except (ValueError, KeyError, AssertionError) as error:
        raise DataError(f"{path} is damaged: {error}", "Begin the search again with --no-resume.") from error
    wanted = json.loads(json.dumps(dict(search), default=str))
    if recorded is None:
        study.set_user_attr(_SEARCH, wanted)
    elif recorded != wanted:
        raise UsageError(
            f"{path} is of another search: {_difference(recorded, wanted)}",
            "Repeat its options and inputs to go on with it, or delete it and begin again with --no-resume.",
        )
    if not study.get_trials(deepcopy=False):
        study.enqueue_trial(dict(first))
    return study


def next_trial(study: optuna.Study, seed: int) -> Trial:
    """The trial that was interrupted, or else a new one.

    It gets the options that an undisturbed search would have proposed; see :class:`SeededSampler`.
    """
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    number = running[0].number if running else len(study.get_trials(False, (*FINISHED, TrialState.RUNNING)))
    study.sampler = SeededSampler(seed, number)
    return Trial(study, running[0]._trial_id) if running else study.ask()


class SeededSampler(BaseSampler):
    """TPE whose proposal for each option depends on the seed, the trial and the option, not on what was drawn before.

    A process may be killed between two options of a trial, and the next one finds the first of them in the journal.
    With one stream of random numbers the second would get the number that the first one got.

    Args:
        seed: of the search.
        trial: the number of the trial.
    """

    def __init__(self, seed: int, trial: int) -> None:
        self._seed = (seed, trial)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The options that are drawn together."""
        return self._sampler().infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Values of the options that are drawn together."""
        return self._sampler().sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """The value of one option that is drawn alone."""
        name = int.from_bytes(hashlib.blake2b(param_name.encode(), digest_size=8).digest(), "big")
        return self._sampler(name).sample_independent(study, trial, param_name, param_distribution)

    def _sampler(self, *more: int) -> optuna.samplers.TPESampler:
        state = int(np.random.SeedSequence((*self._seed, *more)).generate_state(1)[0])
        return optuna.samplers.TPESampler(seed=state, multivariate=True, constant_liar=False)


def state_name(trial: FrozenTrial) -> str:
    """The state of a trial in words."""
    names = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}
    return names.get(trial.state, "unfinished")


def _mend(path: Path) -> None:
    """Drop what a killed process left: a line without an end, and locks, which only our own process can hold."""
    for lock in path.parent.glob(f"{path.name}.lock*"):  # also one that was renamed, to be given up
        lock.unlink(missing_ok=True)
    if path.exists():
        whole = check_journal(path)
        if whole < path.stat().st_size:
            with path.open("r+b") as file:
                file.truncate(whole)


def _difference(recorded: Any, wanted: Any, name: str = "") -> str:
    """In words, the first thing in which two descriptions differ."""
    if isinstance(recorded, dict) and isinstance(wanted, dict):
        key = next(key for key in [*recorded, *wanted] if recorded.get(key) != wanted.get(key))
        return _difference(recorded.get(key), wanted.get(key), f"{name} {key}")
    if recorded is None or wanted is None:
        return f"{name.strip()} was {'not ' if recorded is None else ''}part of it"
    return f"{name.strip()} was {json.dumps(recorded)}, is {json.dumps(wanted)}"
