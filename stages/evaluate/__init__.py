"""Evaluation: full ranking, metrics with intervals, baselines, thresholds (torch, pyarrow)."""

from typing import TYPE_CHECKING

from stages.evaluate.options import EvaluateOptions
from stages.frame.lazy import lazy_names

if TYPE_CHECKING:
    from stages.evaluate.bars import check_bars, parse_bars
    from stages.evaluate.stage import evaluate

__all__ = ["EvaluateOptions", "check_bars", "evaluate", "parse_bars"]
__getattr__ = lazy_names(
    __name__,
    {
        "check_bars": "stages.evaluate.bars",
        "evaluate": "stages.evaluate.stage",
        "parse_bars": "stages.evaluate.bars",
    },
)
