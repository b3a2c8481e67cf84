"""How long training will take, told after its first epoch."""

from stages.frame.options import defaults
from stages.train.options import TrainOptions

SHORTEST = 30.0
"""Seconds below which nobody has to be told."""

LONG = 600.0
"""Seconds above which there should be a quicker way."""


def forecast(seconds: float, epoch: int, options: TrainOptions, steps: int) -> str | None:
    """What is left of a run, in words; ``None`` where it is hardly anything.

    Args:
        seconds: that an epoch took, with its validation.
        epoch: how many are done.
        options: how many there may be, and when training stops before.
        steps: of an epoch.
    """
    most = (options.epochs - epoch) * seconds
    if most < SHORTEST:
        return None
    waits = options.waits(steps)
    least = min(options.epochs - epoch, waits) * seconds
    told = (
        f"an epoch takes {_words(seconds)}: {_words(least)} to {_words(most)} left, for {waits} more epochs "
        f"without a better validation to {options.epochs} in all"
    )
    if most > LONG and options.dim >= defaults(TrainOptions)["dim"]:
        told += "; `cocorec train --preset light` is narrower, --epochs ends it sooner"
    return told


def _words(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
