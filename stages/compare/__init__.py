"""Comparison of evaluated runs: paired differences, slices, measures beyond accuracy (numpy, pyarrow)."""

from stages.compare.stage import compare

__all__ = ["compare"]
