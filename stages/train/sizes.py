"""Sizes that follow the data where no option names them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from stages.train.options import TrainOptions

LARGE = 100_000
"""Interactions in training from which on there is enough to learn from for the larger sizes."""

SIZES = {"text_dim": (128, 384), "fusion_ffn_dim": (256, 512)}
"""Of less and of more data. Validated in `benchmarks/quality`: the larger ones over-fit where there is little."""


def sized(options: TrainOptions, interactions: int, start: Mapping[str, Any] | None = None) -> TrainOptions:
    """The options with every size a number.

    Args:
        options: where a size is ``None``, it follows the data.
        interactions: in training.
        start: sizes of the model to start from, if there is one, which then decide.
    """
    chosen = {name: sizes[interactions >= LARGE] for name, sizes in SIZES.items() if getattr(options, name) is None}
    theirs = {name: start[name] for name in chosen if start and start[name]}
    return replace(options, **{**chosen, **theirs})
