"""Stage preprocess: an interaction log and item metadata become ``items.parquet`` and ``sequences.parquet``."""

from typing import TYPE_CHECKING

from stages.frame.lazy import lazy_names
from stages.preprocess.options import PreprocessOptions

if TYPE_CHECKING:
    from stages.preprocess.stage import preprocess

__all__ = ["PreprocessOptions", "preprocess"]
__getattr__ = lazy_names(__name__, {"preprocess": "stages.preprocess.stage"})
