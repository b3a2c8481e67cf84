"""The two ways to fit a model: by gradient descent, and by counting."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from stages.artifacts.errors import DataError
from stages.artifacts.sequences import Sequences
from stages.frame.reporter import Reporter
from stages.metrics.accuracy import mean_metrics
from stages.model.base import CountingModel, LearnedModel
from stages.model.objective import Objective
from stages.model.ranking import Queries, target_ranks
from stages.train.average import WeightAverage
from stages.train.checkpoint import Checkpoints, Progress
from stages.train.loop import Loop
from stages.train.settings import Settings
from stages.train.windows import Sampler, Windows

SHOWN = ("recall@10", "ndcg@10", "mrr")
"""Validation metrics among the facts."""


@dataclass(frozen=True)
class Fitted:
    """What came of fitting a model, which holds the weights to keep.

    Attributes:
        facts: what the run reports, as JSON values.
        history: one row of losses and metrics per epoch.
        timings: seconds of its parts.
    """

    facts: dict[str, Any]
    history: list[dict[str, Any]]
    timings: dict[str, float]


@dataclass(frozen=True)
class TrainingRun:
    """One run of the stage; a model calls the method that suits it, see :meth:`stages.model.base.Model.fit`.

    Attributes:
        sequences: all histories.
        windows: the training rows.
        validation: targets of the validation split.
        settings: how to train.
        objective: options of the losses.
        device: where to compute.
        checkpoints: where the state goes after every epoch.
        key: of all that decides the state after an epoch, see :class:`Progress`.
        resume: ``None`` continues an interrupted run if there is one, ``True`` insists on it, ``False`` starts afresh.
        reporter: is told about progress.
        began: when the stage began, by ``time.perf_counter``.
    """

    sequences: Sequences
    windows: Windows
    validation: Queries
    settings: Settings
    objective: Objective
    device: torch.device
    checkpoints: Checkpoints
    key: str
    resume: bool | None
    reporter: Reporter
    began: float

    def learn(self, model: LearnedModel) -> Fitted:
        """Train a model, from its checkpoint if there is one, and give it the weights of the best epoch."""
        model.to(self.device)
        settings = self.settings
        items = torch.from_numpy(self.sequences.items.astype("int64")).to(self.device)
        optimizer = torch.optim.AdamW(
            model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
        )
        average = WeightAverage(model, settings.ema)
        progress = self._resume_or_start(model, average, optimizer)
        sampler = Sampler(items, self.windows, settings.batch_size, settings.seed)
        loop = Loop(
            model,
            average,
            sampler,
            self.objective,
            settings,
            items,
            self.validation,
            self.checkpoints,
            self.reporter,
        )
        ready = time.perf_counter()
        parameters = sum(parameter.numel() for parameter in model.parameters())
        self.reporter.info(
            f"{model.config.model} with {parameters:,} weights on {self.device}: {len(self.windows):,} histories, "
            f"{self.windows.targets:,} targets, {len(sampler)} steps an epoch"
        )
        resumed_at = progress.epoch
        seconds = loop.run(progress, optimizer)
        model.load_state_dict(self.checkpoints.best_weights(progress))
        timings = {"preparation": ready - self.began, **seconds}
        epochs_run = progress.epoch - resumed_at
        if epochs_run:
            timings["epoch"] = seconds["training"] / epochs_run
            timings["targets_per_second"] = self.windows.targets * epochs_run / seconds["training"]
        return Fitted(self._facts(model, parameters, progress), progress.history, timings)

    def count(self, model: CountingModel) -> Fitted:
        """Let a model count and validate it: one epoch, which is the best."""
        model.count(self.sequences)
        items = torch.from_numpy(self.sequences.items.astype("int64"))
        metrics = mean_metrics(target_ranks(model.eval(), items, self.validation), (10,))
        self.reporter.on_epoch(1, metrics["ndcg@10"])
        facts = {
            "model": model.config.model,
            **model.counted,
            "epochs": 1,
            "best_epoch": 1,
            "validation": _shown(metrics),
        }
        return Fitted(facts, [{"epoch": 1, "step": 0, **metrics}], {})

    def _resume_or_start(
        self, model: LearnedModel, average: WeightAverage, optimizer: torch.optim.Optimizer
    ) -> Progress:
        if self.resume is False:
            self.checkpoints.clear()
            return Progress(self.key)
        saved = self.checkpoints.progress()
        fits = saved is not None and saved.key == self.key and saved.within(self.settings)
        if self.resume and not fits:
            raise DataError(
                f"{self.checkpoints.folder}: there is no interrupted run of these options and inputs to --resume",
                "Repeat the options of the interrupted run, or leave --resume out to start afresh.",
            )
        if fits:
            progress = self.checkpoints.restore(model, average, optimizer)
            self.reporter.info(f"continuing the run that came to epoch {progress.epoch}")
            return progress
        if saved is not None:
            self.reporter.info(f"the checkpoint of another run (up to epoch {saved.epoch}) will be overwritten")
        self.checkpoints.clear()
        return Progress(self.key)

    def _facts(self, model: LearnedModel, parameters: int, progress: Progress) -> dict[str, Any]:
        best = progress.history[progress.best_epoch - 1] if progress.best_epoch else progress.history[-1]
        return {
            "model": model.config.model,
            "parameters": parameters,
            "histories": len(self.windows),
            "targets": self.windows.targets,
            "epochs": progress.epoch,
            "steps": progress.step,
            "stopped_early": progress.epoch < self.settings.epochs,
            "best_epoch": progress.best_epoch,
            "validation": _shown(best),
            "losses": {name: best[name] for name in model.loss_names if name in best},
        }


def _shown(metrics: Mapping[str, Any]) -> dict[str, float]:
    return {name: metrics[name] for name in SHOWN}
