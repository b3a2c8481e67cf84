"""Training: batches, loop, checkpoints (torch, pyarrow)."""

from stages.train.stage import train

__all__ = ["train"]
