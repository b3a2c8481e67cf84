"""The two ways to fit a model: by gradient descent, and by counting."""

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch
from torch import Tensor

from stages.artifacts.errors import DataError
from stages.artifacts.sequences import Sequences
from stages.frame.run import StageRun
from stages.model.base import CountingModel, LearnedModel, training_items
from stages.model.masking import CodeMasking
from stages.model.objective import Objective
from stages.model.ranking import Queries
from stages.model.recommender import Recommender
from stages.model.team import ALONE, Team
from stages.train.adamw import AdamW
from stages.train.average import WeightAverage
from stages.train.calibrate import calibrate
from stages.train.checkpoint import Checkpoints, Progress, run_key
from stages.train.loop import Loop
from stages.train.options import TrainOptions
from stages.train.run_log import RunLog, open_log
from stages.train.validation import VALIDATION_METRICS, validate
from stages.train.windows import Sampler, Windows


@dataclass(frozen=True)
class Fitted:
    """What came of fitting a model, which holds the weights to keep.

    Attributes:
        facts: what the run reports, as JSON values.
        history: one row of losses and metrics per epoch.
        rates: seconds of an epoch, targets per second.
    """

    facts: dict[str, Any]
    history: list[dict[str, Any]]
    rates: dict[str, float]


@dataclass(frozen=True)
class TrainingRun:
    """One run of the stage; a model calls the method that suits it, see :meth:`stages.model.base.Model.fit`.

    Attributes:
        run: of the stage.
        options: of the stage.
        sequences: all histories.
        windows: the training rows.
        validation: targets of the validation split.
        device: where to compute.
        restart: start afresh, whatever checkpoint there is.
        team: the processes that share the work.
    """

    run: StageRun
    options: TrainOptions
    sequences: Sequences
    windows: Windows
    validation: Queries
    device: torch.device
    restart: bool
    team: Team = ALONE

    def learn(self, model: LearnedModel) -> Fitted:
        """Train a model, from its checkpoint if there is one, and give it the weights of the best epoch."""
        model.count(self.sequences)
        model.to(self.device)
        model.team = self.team
        options, checkpoints = self.options, Checkpoints(self.run.workdir)
        items = torch.from_numpy(self.sequences.items.astype("int64")).to(self.device)
        optimizer = AdamW(model.parameters(), options.learning_rate, options.weight_decay)
        average = WeightAverage(model, options.ema)
        progress = self._begin(checkpoints, model, average, optimizer)
        sampler = Sampler(items, self.windows, options.batch_size, options.seed, self._candidates(model), self.team)
        parameters = sum(parameter.numel() for parameter in model.parameters())
        self.run.reporter.info(
            f"{model.config.model} with {parameters:,} weights on {self.device}: {len(self.windows):,} histories, "
            f"{self.windows.targets:,} targets, {len(sampler)} steps an epoch"
        )
        resumed_at = progress.epoch
        with self._log(progress) as log:
            loop = Loop(
                model,
                average,
                sampler,
                _objective(options),
                options,
                items,
                self.validation,
                checkpoints,
                self.run.reporter,
                log,
            )
            seconds = loop.run(progress, optimizer)
        calibrated: dict[str, Any] = {}
        if self.team.first:
            model.load_state_dict(checkpoints.best_weights(progress))
            with self.run.measure("calibration"):
                calibrated = self._calibrate(model, items)
        self.run.seconds |= seconds
        rates = {}
        if epochs_run := progress.epoch - resumed_at:
            rates["epoch"] = seconds["training"] / epochs_run
            rates["targets_per_second"] = self.windows.targets * epochs_run / seconds["training"]
        facts = {**self._facts(model, parameters, progress), **calibrated, **_shared(loop, progress)}
        return Fitted({**facts, **({"diverged": loop.diverged} if loop.diverged else {})}, progress.history, rates)

    def _calibrate(self, model: LearnedModel, items: Tensor) -> dict[str, Any]:
        """Choose on validation what training cannot weigh; facts of it, with the metrics that the model has then."""
        if not isinstance(model, Recommender):
            return {}
        model.team = ALONE  # the first process does this, for all
        found = calibrate(model, items, self.validation, self.run.reporter)
        return {"calibration": found, "validation": _shown(validate(model, items, self.validation))} if found else {}

    def count(self, model: CountingModel) -> Fitted:
        """Let a model count and validate it: one epoch, which is the best."""
        began = time.perf_counter()
        model.count(self.sequences)
        items = torch.from_numpy(self.sequences.items.astype("int64"))
        metrics = validate(model, items, self.validation)
        row = {"epoch": 1, "step": 0, **metrics}
        with open_log(self.options, self.run, run_key(self.run), []) as log:
            log.epoch(row, time.perf_counter() - began)
        self.run.reporter.on_epoch(1, metrics["ndcg@10"])
        facts = {
            "model": model.config.model,
            **model.counted,
            "epochs": 1,
            "best_epoch": 1,
            "validation": _shown(metrics),
        }
        return Fitted(facts, [row], {})

    def _candidates(self, model: LearnedModel) -> Tensor | None:
        """What a target is ranked against, if not the whole catalogue.

        An item that training never sees is never a target there: as a negative it would only be pushed away, its free
        vector most of all, and rank last where it is the right one. A model that cannot rank such items had better.
        """
        if self.options.unseen_negatives or not model.ranks_new_items:
            return None
        seen = torch.unique(training_items(self.sequences)[0], sorted=True)
        return None if len(seen) == model.config.items else seen.to(self.device)

    def _log(self, progress: Progress) -> AbstractContextManager[RunLog]:
        if not self.team.first:
            return nullcontext(RunLog())
        return open_log(self.options, self.run, progress.key, progress.history)

    def _begin(
        self, checkpoints: Checkpoints, model: LearnedModel, average: WeightAverage, optimizer: AdamW
    ) -> Progress:
        """Resume or start; where several processes share the work, the first one decides for all."""
        self.team.require_same(
            run_key(self.run),
            "the processes read different files or have different options; is the work directory the same for all?",
        )
        if self.team.first:
            progress = self._resume_or_start(checkpoints, model, average, optimizer)
            self.team.tell(progress.epoch)
            return progress
        if self.team.tell(0):
            return checkpoints.restore(model, average, optimizer)
        return Progress(run_key(self.run))

    def _resume_or_start(
        self, checkpoints: Checkpoints, model: LearnedModel, average: WeightAverage, optimizer: AdamW
    ) -> Progress:
        key, reporter, resume = run_key(self.run), self.run.reporter, self.options.resume
        if self.restart or resume is False:
            checkpoints.clear()
            return Progress(key)
        saved = checkpoints.progress()
        fits = saved is not None and saved.key == key and saved.within(self.options)
        if saved is not None and fits and saved.foreign:
            fits = self._goes_on(saved)
        if resume and not fits:
            raise DataError(
                f"{checkpoints.folder}: there is no interrupted run of these options and inputs to --resume",
                "Repeat the options of the interrupted run, or leave --resume out to start afresh.",
            )
        if fits:
            progress = checkpoints.restore(model, average, optimizer)
            checkpoints.remove_others(progress)  # of a run that was killed between writing two files
            reporter.info(f"continuing the run that came to epoch {progress.epoch}")
            return progress
        if saved is not None:
            reporter.info(f"the checkpoint of another run (up to epoch {saved.epoch}) will be overwritten")
        checkpoints.clear()
        return Progress(key)

    def _goes_on(self, saved: Progress) -> bool:
        """Whether a checkpoint of other versions is continued: only if asked for, for the result may be another."""
        insists = bool(self.options.resume)
        consequence = (
            "it is continued because of --resume, and the result may differ from an undisturbed run's"
            if insists
            else "it is not continued, unless --resume asks for it"
        )
        self.run.warn(f"the checkpoint (up to epoch {saved.epoch}) was made by {saved.foreign}: {consequence}")
        return insists

    def _facts(self, model: LearnedModel, parameters: int, progress: Progress) -> dict[str, Any]:
        best = progress.history[progress.best_epoch - 1] if progress.best_epoch else progress.history[-1]
        return {
            "model": model.config.model,
            "parameters": parameters,
            "histories": len(self.windows),
            "targets": self.windows.targets,
            "epochs": progress.epoch,
            "steps": progress.step,
            "stopped_early": progress.epoch < self.options.epochs,
            "best_epoch": progress.best_epoch,
            "validation": _shown(best),
            "losses": {name: best[name] for name in model.loss_names if name in best},
        }


def _shared(loop: Loop, progress: Progress) -> dict[str, Any]:
    """What there is to say of processes that shared the work; nothing where it was always one."""
    if not progress.processes:
        return {}
    stretches = [(number, len(list(epochs))) for number, epochs in groupby(progress.processes)]
    told = [f"{number} for {epochs} epoch{'s' if epochs > 1 else ''}" for number, epochs in stretches]
    return {"processes": progress.processes[-1], "processes_by_epoch": ", then ".join(told), **loop.traffic}


def _objective(options: TrainOptions) -> Objective:
    return Objective(
        temperature=options.temperature,
        negatives=options.negatives,
        mcm_weight=options.mcm_weight,
        msa_weight=options.msa_weight,
        masking=CodeMasking(options.mask_ratio),
        mcm_softmax=options.mcm_softmax,
        msa_same_target=options.msa_same_target,
    )


def _shown(metrics: Mapping[str, Any]) -> dict[str, float]:
    return {name: metrics[name] for name in VALIDATION_METRICS}
