"""Training: batches, masking, loop, checkpoints (torch, pyarrow)."""

from stages.train.stage import train

__all__ = ["train"]
