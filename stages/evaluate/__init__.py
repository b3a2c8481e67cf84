"""Evaluation: full ranking, metrics with intervals, baselines, quality thresholds (torch, pyarrow)."""

from stages.evaluate.stage import evaluate
from stages.evaluate.thresholds import check_thresholds, parse_thresholds

__all__ = ["check_thresholds", "evaluate", "parse_thresholds"]
