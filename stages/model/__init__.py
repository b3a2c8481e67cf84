"""The models: item encoders, backbone, losses, ranking (torch). Importing this package alone imports no torch."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stages.model.base import Model
    from stages.model.config import ModelConfig
    from stages.model.recommender import Recommender

__all__ = ["Model", "ModelConfig", "Recommender"]

_MODULES = {"Model": "base", "ModelConfig": "config", "Recommender": "recommender"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
