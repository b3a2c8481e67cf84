"""Evaluation: full ranking, metrics with intervals, baselines, thresholds (torch, pyarrow)."""

from typing import TYPE_CHECKING

from stages.evaluate.options import EvaluateOptions
from stages.frame.lazy import lazy_names

if TYPE_CHECKING:
    from stages.evaluate.stage import evaluate
    from stages.evaluate.thresholds import check_thresholds, parse_thresholds

__all__ = ["EvaluateOptions", "check_thresholds", "evaluate", "parse_thresholds"]
__getattr__ = lazy_names(
    __name__,
    {
        "check_thresholds": "stages.evaluate.thresholds",
        "evaluate": "stages.evaluate.stage",
        "parse_thresholds": "stages.evaluate.thresholds",
    },
)
