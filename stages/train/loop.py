"""The training loop: epochs, validation, early stopping, and the end when a loss is no longer finite."""

import hashlib
import time
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from stages.artifacts.errors import NotFiniteError
from stages.frame.allocator import return_freed_memory
from stages.frame.reporter import Reporter
from stages.model.base import LearnedModel
from stages.model.device import autocast
from stages.model.objective import Objective
from stages.model.ranking import Queries
from stages.train.adamw import AdamW
from stages.train.average import WeightAverage
from stages.train.checkpoint import Checkpoints, Progress
from stages.train.finite import DivergedError, FiniteLosses
from stages.train.forecast import forecast
from stages.train.options import SELECTION_METRIC, TrainOptions
from stages.train.run_log import RunLog
from stages.train.validation import validate
from stages.train.windows import Sampler

_TRIM_STEPS = 32


@dataclass
class Loop:
    """One training run.

    Attributes:
        model: on its device.
        average: its averaged weights, which are validated and kept.
        sampler: draws the batches.
        objective: what is minimised: the options of the model's losses.
        options: how to train.
        items: ``Sequences.items`` as int64 on the model's device.
        validation: targets for early stopping.
        checkpoints: where the state goes after every epoch.
        reporter: is told about each epoch.
        log: keeps the curves of each epoch.
        steps: that this process has taken.
        sent: bytes that it has handed to others in them.
        diverged: where losses or scores ceased to be finite: ``epoch``, ``step`` and ``reason``; empty where they
            did not.
    """

    model: LearnedModel
    average: WeightAverage
    sampler: Sampler
    objective: Objective
    options: TrainOptions
    items: Tensor
    validation: Queries
    checkpoints: Checkpoints
    reporter: Reporter
    log: RunLog = field(default_factory=RunLog)
    steps: int = 0
    sent: int = 0
    diverged: dict[str, Any] = field(default_factory=dict)

    @property
    def traffic(self) -> dict[str, int]:
        """What a step has cost this process on average: items that it encoded, and bytes that it sent to others."""
        steps = max(1, self.steps)
        items, sent = self.model.team.encoded / steps, self.sent / steps
        return {"items_encoded_per_step": round(items), "bytes_sent_per_step": round(sent)}

    def run(self, progress: Progress, optimizer: AdamW) -> dict[str, float]:
        """Train from ``progress`` on until the epochs are over, validation stops improving, or training diverges.

        Returns:
            Seconds spent on training and on validation by this process.

        Raises:
            NotFiniteError: when training diverges before any epoch is finished.
        """
        seconds = {"training": 0.0, "validation": 0.0}
        told = False
        for row in progress.history:
            self.reporter.on_epoch(row["epoch"], row[SELECTION_METRIC])
        while not self.options.over(progress.epoch, progress.best_epoch, len(self.sampler)):
            began = time.perf_counter()
            try:
                row = self._epoch(progress, optimizer)
                trained = time.perf_counter()
                metrics = self._validate(progress)
            except DivergedError as end:
                seconds["training"] += time.perf_counter() - began
                self._end_diverged(progress, end)
                break
            seconds["training"] += trained - began
            seconds["validation"] += time.perf_counter() - trained
            progress.epoch += 1
            if metrics[SELECTION_METRIC] > progress.best_metric:
                progress.best_metric, progress.best_epoch = metrics[SELECTION_METRIC], progress.epoch
            progress.history.append({"epoch": progress.epoch, "step": progress.step, **row, **metrics})
            progress.note_processes(self.model.team.count)
            if self.model.team.first:
                self.checkpoints.save(self.model, self.average, optimizer, progress)
            self.log.epoch(progress.history[-1], time.perf_counter() - began)
            losses = ", ".join(f"{name} {row[name]:.3f}" for name in self.model.loss_names if name in row)
            self.reporter.info(
                f"epoch {progress.epoch}: {losses}; validation ndcg@10 {metrics['ndcg@10']:.4f}, "
                f"recall@10 {metrics['recall@10']:.4f} (best in epoch {progress.best_epoch}); "
                f"{trained - began:.1f} s"
            )
            self.reporter.on_epoch(progress.epoch, metrics[SELECTION_METRIC])
            if not told and (left := self._forecast(seconds, progress)):
                self.reporter.announce(left)
            told = True
        return seconds

    def _forecast(self, seconds: dict[str, float], progress: Progress) -> str | None:
        return forecast(sum(seconds.values()), progress.epoch, self.options, len(self.sampler))

    def _epoch(self, progress: Progress, optimizer: AdamW) -> dict[str, float]:
        self.model.train()
        team = self.model.team
        order = self.sampler.order(progress.epoch)
        sums: dict[str, Tensor] = {}
        rate = 0.0
        finite = FiniteLosses(self.items.device)
        parameters = list(self.model.parameters())
        with self.reporter.track(f"epoch {progress.epoch + 1}", len(self.sampler), "steps") as advance:
            for index in range(len(self.sampler)):
                rate = self._learning_rate(progress.step)
                optimizer.learning_rate = rate
                before = team.sent
                team.seed(_step_seed(self.options.seed, progress.step))
                batch = self.sampler.batch(order, index)
                with autocast(self.items.device, self.options.precision):
                    own = self.model.losses(batch, self.objective)
                losses = team.sum_losses(own)
                finite.watch(progress.step + 1, losses)
                optimizer.zero_grad()
                own["loss"].backward()
                team.sum_gradients(parameters)
                optimizer.step()
                self.average.update(self.model)
                progress.step += 1
                self.steps, self.sent = self.steps + 1, self.sent + team.sent - before
                if progress.step % _TRIM_STEPS == 0:
                    return_freed_memory()
                for name, value in losses.items():
                    sums[name] = sums.get(name, 0.0) + value.detach().double()
                advance(1)
        means = {name: float(total) / len(self.sampler) for name, total in sums.items()}
        finite.check()
        return {"learning_rate": rate, **means}

    def _learning_rate(self, step: int) -> float:
        return self.options.learning_rate * min(1.0, (step + 1) / max(1, self.options.warmup_steps))

    def _validate(self, progress: Progress) -> dict[str, float]:
        try:
            with autocast(self.items.device, self.options.precision):
                return validate(self.average.model, self.items, self.validation)
        except NotFiniteError as error:
            raise DivergedError(progress.step, "the scores on validation are not finite") from error

    def _end_diverged(self, progress: Progress, end: DivergedError) -> None:
        """Note where training diverged; what counts is the state after the last whole epoch."""
        where = f"epoch {progress.epoch + 1}, step {end.step}: {end.reason}"
        hint = f"Lower --learning-rate, which is {self.options.learning_rate:g}, or raise --warmup-steps."
        if not progress.best_epoch:
            raise NotFiniteError(f"{where}; no epoch was finished before", hint) from end
        self.diverged = {"epoch": progress.epoch + 1, "step": end.step, "reason": end.reason}
        progress.step = progress.history[-1]["step"]
        self.reporter.warn(f"{where}; training ends with the weights of epoch {progress.best_epoch}. {hint}")


def _step_seed(seed: int, step: int) -> int:
    """A seed per step: any step can be repeated without those before it, which makes resuming exact."""
    digest = hashlib.blake2b(f"{seed}/{step}".encode(), digest_size=7).digest()
    return int.from_bytes(digest, "big")
