"""Holds what ``config.json`` says against the weights beside it, before anything of these sizes is allocated."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from stages.artifacts.errors import DataError
from stages.model.base import LearnedModel, Model
from stages.model.config import ModelConfig

_DRAWS = {"normal_", "uniform_", "trunc_normal_"}
_AGAIN = "Run `cocorec train --force` to train again."


class _WithoutDraws(TorchFunctionMode):
    """Leaves out random first values: tensors without memory have none, and torch would load its compiler for them."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call what is no draw; hand back the tensor of what is."""
        if getattr(func, "__module__", None) == "torch.nn.init" or getattr(func, "__name__", "") in _DRAWS:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **(kwargs or {}))


def require_fitting_weights(
    known: type[Model], config: ModelConfig, weights: Mapping[str, Tensor], config_path: Path, weights_path: Path
) -> None:
    """Refuse a configuration whose model has other tensors than those that were saved.

    The model is built without memory, on torch's ``meta`` device. Models that count are left alone: what they hold has
    the size of the catalogue.

    Args:
        known: the class of the model.
        config: its sizes, which may be anything.
        weights: the saved tensors by name, without the whitening.
        config_path: named in errors.
        weights_path: likewise.

    Raises:
        DataError: naming a tensor that differs.
    """
    if not issubclass(known, LearnedModel):
        return
    saying = f"{weights_path} does not fit {config_path}"
    layers = config.layers + config.fusion_layers
    if layers > len(weights):  # each has several; to build more would take time without end
        raise DataError(f"{saying}: {len(weights)} tensors are not those of {layers:,} layers", _AGAIN)
    try:
        with torch.device("meta"), _WithoutDraws():
            model = known(config)
            expected = {name: tensor.shape for name, tensor in model.state_dict().items()}
            learned = {name for name, _ in model.named_parameters()}
    except (RuntimeError, OverflowError, TypeError) as error:  # sizes beyond 64 bits
        raise DataError(f"{saying}: {str(error).splitlines()[0]}", _AGAIN) from error
    for name in sorted(expected.keys() | weights.keys()):
        if name not in weights or name not in expected:
            where = "missing" if name in expected else "none of this model"
            raise DataError(f"{saying}: tensor {name!r} is {where}", _AGAIN)
        if not _fits(weights[name].shape, expected[name], counted=name not in learned):
            shapes = f"{list(weights[name].shape)}, not {list(expected[name])}"
            raise DataError(f"{saying}: tensor {name!r} is {shapes}", _AGAIN)


def _fits(shape: torch.Size, expected: torch.Size, *, counted: bool) -> bool:
    """Whether they are equal; what is counted may have any length where it has none before."""
    if counted:
        return len(shape) == len(expected) and all(b in (0, a) for a, b in zip(shape, expected, strict=True))
    return shape == expected
