"""Checkpoints: everything that a later process needs to go on as if nothing had happened."""

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stages.artifacts.errors import DataError
from stages.artifacts.names import CHECKPOINT_DIR
from stages.model.files import load_tensors, save_tensors
from stages.model.recommender import Recommender
from stages.train.average import WeightAverage

_STATE = "last.safetensors"
_BEST = "best.safetensors"
_META = "progress"


@dataclass
class Progress:
    """How far a run has come. Randomness is a function of seed and step, so no generator state is needed.

    Attributes:
        key: fingerprint of options and inputs; only a run with the same key may continue.
        epoch: epochs finished.
        step: optimizer steps taken.
        best_epoch: epoch of the best validation metric, 0 before the first.
        best_metric: that metric.
        history: one row of losses and metrics per epoch.
    """

    key: str
    epoch: int = 0
    step: int = 0
    best_epoch: int = 0
    best_metric: float = -1.0
    history: list[dict[str, Any]] = field(default_factory=list)


class Checkpoints:
    """The folder ``model/checkpoint`` with the last state and the best weights.

    Args:
        workdir: the work directory.
    """

    def __init__(self, workdir: Path) -> None:
        self.folder = Path(workdir) / CHECKPOINT_DIR

    def save(
        self, model: Recommender, average: WeightAverage, optimizer: torch.optim.Optimizer, progress: Progress
    ) -> None:
        """Write the state after an epoch; when the epoch is the best so far, its averaged weights as well, first."""
        meta = {_META: json.dumps(asdict(progress))}
        if progress.best_epoch == progress.epoch:
            save_tensors(self.folder / _BEST, dict(average.model.state_dict()), meta)
        state = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
        state |= {f"average.{name}": tensor for name, tensor in average.state().items()}
        names = {id(parameter): name for name, parameter in model.named_parameters()}
        for parameter, values in optimizer.state.items():
            for kind, value in values.items():
                state[f"optimizer.{kind}.{names[id(parameter)]}"] = torch.as_tensor(value)
        save_tensors(self.folder / _STATE, state, meta)

    def progress(self) -> Progress | None:
        """How far the saved run came; ``None`` when there is no checkpoint that can be read."""
        if not (self.folder / _STATE).exists():
            return None
        try:
            return self._read_meta(load_tensors(self.folder / _STATE)[1])
        except (DataError, ValueError, TypeError, KeyError):
            return None

    def restore(self, model: Recommender, average: WeightAverage, optimizer: torch.optim.Optimizer) -> Progress:
        """Put the saved state into model, average and optimizer.

        Raises:
            DataError: when the checkpoint is missing or damaged.
        """
        tensors, meta = load_tensors(self.folder / _STATE)
        model.load_state_dict({k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")})
        average.restore({k.removeprefix("average."): v for k, v in tensors.items() if k.startswith("average.")})
        device = next(model.parameters()).device
        for name, parameter in model.named_parameters():
            state: dict[str, Tensor] = {}
            for kind in ("step", "exp_avg", "exp_avg_sq"):
                saved = tensors.get(f"optimizer.{kind}.{name}")
                if saved is not None:
                    state[kind] = saved if kind == "step" and device.type == "cpu" else saved.to(device)
            optimizer.state[parameter] = state
        return self._read_meta(meta)

    def best_weights(self) -> dict[str, Tensor]:
        """The weights of the best epoch."""
        return load_tensors(self.folder / _BEST)[0]

    def clear(self) -> None:
        """Forget the saved run."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @staticmethod
    def _read_meta(meta: dict[str, str]) -> Progress:
        return Progress(**json.loads(meta[_META]))
