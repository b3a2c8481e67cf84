"""Runs trials: codes where their options vary, training, reports to the study, what to do when one ends."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from stages.artifacts.errors import DataError, NotFiniteError, UsageError, is_out_of_memory
from stages.artifacts.names import MODEL_CONFIG
from stages.frame.log_place import log_place
from stages.frame.reporter import Reporter
from stages.tune.folders import Folders
from stages.tune.space import SearchedStage, Space

METRIC = "ndcg@10"
VALUES, BEST_EPOCHS, REASON = "values", "best_epochs", "reason"
"""Names of what is noted of a trial beside its value."""


class OutOfTimeError(Exception):
    """The minutes are over; the trial at hand can be continued later."""


class Trials:
    """Runs the trials of a study.

    Args:
        study: takes the results.
        workdir: the work directory.
        folders: where the trials work.
        space: what varies.
        stages: the stages, by name.
        fixed: options of the stages that do not vary and are not at their defaults.
        seeds: training runs of a trial, with consecutive seeds; its value is their mean.
        deadline: of :func:`time.monotonic`, ``None`` for none.
        reporter: is told about progress.
    """

    def __init__(
        self,
        study: optuna.Study,
        *,
        workdir: Path,
        folders: Folders,
        space: Space,
        stages: Mapping[str, SearchedStage],
        fixed: Mapping[str, Mapping[str, Any]],
        seeds: int,
        deadline: float | None,
        reporter: Reporter,
    ) -> None:
        self._study, self._workdir, self._folders = study, workdir, folders
        self._space, self._stages, self._fixed, self._seeds = space, stages, fixed, seeds
        self._deadline, self._reporter = deadline, reporter

    def run(self, trial: Trial) -> None:
        """Run a trial to its end, or on from where it was interrupted.

        Raises:
            OutOfTimeError: when the deadline has passed.
            DataError: when an artifact cannot be used.
        """
        options = self._space.suggest(trial)
        shown = ", ".join(f"{name} {_short(value)}" for name, value in trial.params.items())
        self._reporter.info(f"trial {trial.number}: {shown}")
        try:
            values = self._train(trial, options)
        except optuna.TrialPruned:
            self._study.tell(trial, state=TrialState.PRUNED)
            reports = self._study.trials[trial.number].intermediate_values
            self._say(trial, f"pruned after epoch {max(reports)}, at best {max(reports.values()):.4f}")
        except NotFiniteError as error:
            self._fail(trial, error.message)
        except UsageError as error:  # values that fit alone, but not with each other
            self._fail(trial, error.message)
        except (MemoryError, RuntimeError) as error:  # a model too large for the machine
            if not is_out_of_memory(error):
                raise
            self._fail(trial, f"out of memory: {str(error).partition(chr(10))[0] or type(error).__name__}")
        else:
            value = sum(values) / len(values)
            self._study.tell(trial, value)
            self._say(trial, f"validation {METRIC} {value:.4f}")
        self._folders.tidy(trial.number)

    def _fail(self, trial: Trial, reason: str) -> None:
        trial.set_user_attr(REASON, reason)
        self._study.tell(trial, state=TrialState.FAIL)
        self._reporter.warn(f"trial {trial.number} failed: {reason}")

    def _train(self, trial: Trial, options: Mapping[str, Mapping[str, Any]]) -> list[float]:
        codes = self._workdir
        if "quantize" in self._space.stages:
            made_with = {**self._fixed.get("quantize", {}), **options["quantize"]}
            codes = self._folders.codes(made_with)
            self._folders.link(codes)
            quantize = self._stages["quantize"]
            reporter = _TrialReporter(self._reporter, trial.number, None)
            quantize.run(quantize.options(**made_with), workdir=codes, reporter=reporter)
        training = {**self._fixed.get("train", {}), **options["train"]}
        first, train = int(training.pop("seed", 0)), self._stages["train"]
        values, best = [], []
        for run in range(self._seeds):
            folder = self._folders.trial(trial.number, run)
            self._folders.link(folder, codes=codes)
            # Runs after the first have other seeds, and the pruner compares like with like.
            heard = self._reported(trial) if run == 0 else self._check_time
            reporter = _TrialReporter(self._reporter, trial.number, heard)
            name = f"trial-{trial.number:05}" + (f"-seed-{first + run}" if self._seeds > 1 else "")
            logged = self._log(training, name)
            chosen = train.options(**{**training, **logged, "seed": first + run})
            result = train.run(chosen, workdir=folder, reporter=reporter)
            value, epoch = _measured(result.facts, folder)
            values.append(value)
            best.append(epoch)
        trial.set_user_attr(VALUES, values)
        trial.set_user_attr(BEST_EPOCHS, best)
        return values

    def _log(self, training: Mapping[str, Any], name: str) -> dict[str, str]:
        """Where the curves of a trial go: not into its own folder, which is deleted when the trial ends."""
        if not training.get("log"):
            return {}
        return {"log_to": training.get("log_to") or log_place(training["log"], self._workdir), "log_name": name}

    def _reported(self, trial: Trial) -> Callable[[int, float], None]:
        known = set(self._study.trials[trial.number].intermediate_values)
        latest = max(known, default=0)

        def hear(epoch: int, metric: float) -> None:
            if epoch < latest:  # before an interruption
                return
            if epoch not in known:
                trial.report(metric, epoch)
            if trial.should_prune():  # also of the latest epoch before it: what came of that may not be noted
                raise optuna.TrialPruned
            self._check_time(epoch, metric)

        return hear

    def _check_time(self, epoch: int, metric: float) -> None:
        if self._deadline is not None and time.monotonic() >= self._deadline:
            raise OutOfTimeError

    def _say(self, trial: Trial, what: str) -> None:
        best = best_trial(self._study)
        so_far = f"; best so far: trial {best.number}, {best.value:.4f}" if best else ""
        self._reporter.info(f"trial {trial.number}: {what}{so_far}")


def _measured(facts: Mapping[str, Any], folder: Path) -> tuple[float, int]:
    """The value and the best epoch of a training run, which may have been found in its folder.

    Raises:
        NotFiniteError: when it diverged.
        DataError: when the folder does not tell them.
    """
    try:
        if diverged := facts.get("diverged"):
            raise NotFiniteError(f"epoch {diverged['epoch']}, step {diverged['step']}: {diverged['reason']}")
        value, epoch = facts["validation"][METRIC], facts["best_epoch"]
        if not is_number(value) or type(epoch) is not int:
            raise TypeError
    except (KeyError, TypeError, IndexError):
        raise DataError(
            f"{folder / MODEL_CONFIG}: its facts do not tell the best epoch and its {METRIC}",
            f"Delete {folder.parent} and repeat the command, which runs that trial anew.",
        ) from None
    return value, epoch


def require_sound(study: optuna.Study, path: Path) -> None:
    """Refuse a journal whose trials are not what :class:`Trials` notes, whatever its checks say.

    Raises:
        DataError: naming the trial.
    """
    for trial in study.get_trials(deepcopy=False):
        noted = trial.user_attrs
        sound = all(map(is_number, trial.intermediate_values.values())) and isinstance(noted.get(REASON, ""), str)
        if trial.state == TrialState.COMPLETE:
            sound = (
                sound
                and is_number(trial.value)
                and all(_are_numbers(noted.get(name)) for name in (VALUES, BEST_EPOCHS))
            )
        if not sound:
            raise DataError(
                f"{path}: trial {trial.number} is none that a search has noted", "Begin again with --no-resume."
            )


def _are_numbers(found: object) -> bool:
    return isinstance(found, list) and all(map(is_number, found))


def is_number(value: object) -> bool:
    """Whether something from a file is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def best_trial(study: optuna.Study) -> FrozenTrial | None:
    """The trial with the best value, the earliest of several; ``None`` while none is complete."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return max(complete, key=lambda trial: (trial.value or 0.0, -trial.number), default=None)


class _TrialReporter(Reporter):
    """Puts the number of the trial before what a stage says, and hands its epochs on."""

    def __init__(self, reporter: Reporter, number: int, heard: Callable[[int, float], None] | None) -> None:
        self._reporter, self._label, self._heard = reporter, f"trial {number}", heard

    def info(self, message: str) -> None:
        self._reporter.info(f"{self._label}: {message}")

    def warn(self, message: str) -> None:
        self._reporter.warn(f"{self._label}: {message}")

    @contextmanager
    def track(self, label: str, total: int | None = None, unit: str = "") -> Iterator[Callable[[int], None]]:
        with self._reporter.track(f"{self._label}: {label}", total, unit) as advance:
            yield advance

    def on_epoch(self, number: int, metric: float) -> None:
        if self._heard:
            self._heard(number, metric)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
