"""Training: batches, loop, checkpoints (torch, pyarrow)."""

from typing import TYPE_CHECKING

from stages.frame.lazy import lazy_names
from stages.train.options import TrainOptions

if TYPE_CHECKING:
    from stages.train.stage import train

__all__ = ["TrainOptions", "train"]
__getattr__ = lazy_names(__name__, {"train": "stages.train.stage"})
