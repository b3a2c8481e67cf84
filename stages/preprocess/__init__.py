"""Stage preprocess: an interaction log and item metadata become ``items.parquet`` and ``sequences.parquet``."""

from stages.preprocess.stage import K_CORE, preprocess

__all__ = ["K_CORE", "preprocess"]
