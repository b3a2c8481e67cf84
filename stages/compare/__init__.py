"""Comparison of evaluated runs: paired differences, slices, measures beyond accuracy (numpy, pyarrow)."""

from typing import TYPE_CHECKING

from stages.compare.options import CompareOptions
from stages.frame.lazy import lazy_names

if TYPE_CHECKING:
    from stages.compare.stage import compare

__all__ = ["CompareOptions", "compare"]
__getattr__ = lazy_names(__name__, {"compare": "stages.compare.stage"})
