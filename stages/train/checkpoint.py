"""Checkpoints: everything that a later process needs to go on as if nothing had happened."""

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stages import __version__
from stages.artifacts.digest import OPEN_DIGEST
from stages.artifacts.errors import AccessError, DataError
from stages.artifacts.json_text import json_text
from stages.artifacts.names import CHECKPOINT_DIR
from stages.frame.run import StageRun
from stages.model.base import LearnedModel
from stages.model.files import load_tensors, save_tensors
from stages.train.adamw import AdamW
from stages.train.average import WeightAverage
from stages.train.options import SELECTION_METRIC, TrainOptions

_STATE = "last.safetensors"
_BEST = "best-{:05}.safetensors"
_ANY_BEST = "best-*.safetensors"
_META = "progress"
_AFRESH = "Fetch a good copy, or give --no-resume to start the training afresh."


@dataclass
class Progress:
    """How far a run has come. Randomness is a function of seed and step, so no generator state is needed.

    Attributes:
        key: fingerprint of the options, but for those that say when to stop, and of the inputs; only a run with the
            same key may continue.
        epoch: epochs finished.
        step: optimizer steps taken.
        best_epoch: epoch of the best validation metric, 0 before the first.
        best_metric: that metric.
        history: one row of losses and metrics per epoch.
        versions: of cocorec and torch, which decide how it goes on as well.
        processes: how many shared the work of each epoch, which decides the last digits; empty where it was always one.
    """

    key: str
    epoch: int = 0
    step: int = 0
    best_epoch: int = 0
    best_metric: float = -1.0
    history: list[dict[str, Any]] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=lambda: {"cocorec": __version__, "torch": torch.__version__})
    processes: list[int] = field(default_factory=list)

    def note_processes(self, count: int) -> None:
        """Note how many processes shared the work of the epoch that has just ended."""
        if count > 1 or self.processes:
            self.processes += [1] * (self.epoch - 1 - len(self.processes)) + [count]

    @property
    def foreign(self) -> str:
        """The versions that made it, in words, where they are not those of this process; else empty."""
        if self.versions == Progress(self.key).versions:
            return ""
        return " and ".join(f"{name} {version}" for name, version in self.versions.items()) or "an earlier version"

    def within(self, options: TrainOptions) -> bool:
        """Whether a run with these options comes through this state: it does not stop at an earlier epoch."""
        best_epoch, best_metric = 0, -1.0
        for row in self.history[:-1]:
            if row[SELECTION_METRIC] > best_metric:
                best_epoch, best_metric = row["epoch"], row[SELECTION_METRIC]
            if options.over(row["epoch"], best_epoch, row["step"] // row["epoch"]):
                return False
        return True


def run_key(run: StageRun) -> str:
    """Of all that decides the state of a run after an epoch; when to stop does not."""
    deciding = {name: value for name, value in run.recorded.items() if name not in ("epochs", "patience")}
    return hashlib.sha256(json.dumps([deciding, run.inputs], sort_keys=True).encode()).hexdigest()


class Checkpoints:
    """The folder ``model/checkpoint`` with the last state and the weights of the best epoch, by its number.

    Args:
        workdir: the work directory.
    """

    def __init__(self, workdir: Path) -> None:
        self.folder = Path(workdir) / CHECKPOINT_DIR

    def save(self, model: LearnedModel, average: WeightAverage, optimizer: AdamW, progress: Progress) -> None:
        """Write the state after an epoch; when the epoch is the best so far, its averaged weights as well, first.

        Raises:
            DataError: when the disk is full or the folder cannot be written.
        """
        told = {name: value for name, value in asdict(progress).items() if name != "processes" or value}
        meta = {_META: json_text({**told, **OPEN_DIGEST})}
        if progress.best_epoch == progress.epoch:
            save_tensors(self._best(progress), dict(average.model.state_dict()), meta)
        state = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
        state |= {f"average.{name}": tensor for name, tensor in average.state().items()}
        names = {id(parameter): name for name, parameter in model.named_parameters()}
        for parameter, values in optimizer.state.items():
            for kind, value in values.items():
                state[f"optimizer.{kind}.{names[id(parameter)]}"] = value
        save_tensors(self.folder / _STATE, state, meta)
        # Only now, so that the state of a run that is killed in between finds its own best weights.
        self.remove_others(progress)

    def remove_others(self, progress: Progress) -> None:
        """Delete best weights that are not those of the saved state."""
        for path in self.folder.glob(_ANY_BEST):
            if path != self._best(progress):
                path.unlink(missing_ok=True)

    def progress(self) -> Progress | None:
        """How far the saved run came; ``None`` when there is no checkpoint.

        Raises:
            DataError: when it, or the best weights that belong to it, are damaged or of another run.
        """
        path = self.folder / _STATE
        if not path.exists():
            return None
        saved = _read_progress(path)
        best = self._best(saved)
        if saved.best_epoch and (found := _read_progress(best)).key != saved.key:
            raise DataError(f"{best} is of another run than {path} (it came to epoch {found.epoch})", _AFRESH)
        return saved

    def restore(self, model: LearnedModel, average: WeightAverage, optimizer: AdamW) -> Progress:
        """Put the saved state into model, average and optimizer.

        Raises:
            DataError: when the checkpoint is missing, damaged, or of another model.
        """
        path = self.folder / _STATE
        tensors, meta = _load(path)
        try:
            model.load_state_dict({k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")})
            average.restore({k.removeprefix("average."): v for k, v in tensors.items() if k.startswith("average.")})
        except RuntimeError as error:
            raise DataError(f"{path} is the checkpoint of another model: {error}", _AFRESH) from error
        device = next(model.parameters()).device
        for name, parameter in model.named_parameters():
            state: dict[str, Tensor] = {}
            for kind in ("step", "exp_avg", "exp_avg_sq"):
                saved = tensors.get(f"optimizer.{kind}.{name}")
                if saved is not None:
                    state[kind] = saved if kind == "step" and device.type == "cpu" else saved.to(device)
            optimizer.state[parameter] = state
        return _progress(meta, path)

    def best_weights(self, progress: Progress) -> dict[str, Tensor]:
        """The weights of the best epoch.

        Raises:
            DataError: when they are missing or damaged.
        """
        return _load(self._best(progress))[0]

    def clear(self) -> None:
        """Forget the saved run."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _best(self, progress: Progress) -> Path:
        return self.folder / _BEST.format(progress.best_epoch)


def _read_progress(path: Path) -> Progress:
    return _progress(_load(path)[1], path)


def _load(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        return load_tensors(path)
    except AccessError:
        raise
    except DataError as error:
        raise DataError(error.message, _AFRESH) from error


def _progress(meta: dict[str, str], path: Path) -> Progress:
    try:
        values = json.loads(meta[_META])
        values = {"versions": {}, **{name: value for name, value in values.items() if name not in OPEN_DIGEST}}
        return Progress(**values)
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(f"{path} is not a checkpoint that this version knows ({error})", _AFRESH) from error
