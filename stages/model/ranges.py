"""Ranges that ``tune`` searches unless it is told otherwise: what the authors tune per data set, in wider bounds."""

from typing import Any

BACKBONE: dict[str, Any] = {
    "learning_rate": {"low": 5e-4, "high": 1e-2, "log": True},
    "dropout": {"low": 0.1, "high": 0.5},
}
ENCODER: dict[str, Any] = {"fusion_dropout": {"low": 0.0, "high": 0.4}}
CODES: dict[str, Any] = {"fusion_layers": [0, 1]}
