"""Evaluation: full ranking, metrics with intervals, baselines, quality bars (torch, pyarrow)."""

from stages.evaluate.bars import check_bars, parse_bars
from stages.evaluate.stage import evaluate

__all__ = ["check_bars", "evaluate", "parse_bars"]
