"""Users are what tests and intervals draw; those that are alike in all metrics are of one kind."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

ALIKE = 16
"""Draws by kind instead of by user pay off when there are this many times more users than kinds."""


def kinds(rows: Floats) -> tuple[Floats, Integers] | None:
    """Distinct rows and how often each occurs, ``None`` where they are too many for draws by kind to be faster.

    Metrics that are cut off at K have few values, so that the users of a large shop are of a few hundred kinds.
    """
    distinct, counts = np.unique(rows, axis=0, return_counts=True)
    return (distinct, counts) if len(distinct) * ALIKE <= len(rows) else None
