"""Stage preprocess: an interaction log and item metadata become ``items.parquet`` and ``sequences.parquet``."""

from stages.preprocess.stage import preprocess

__all__ = ["preprocess"]
