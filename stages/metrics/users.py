"""Users as the units that tests and intervals draw, and kinds of users that are alike in all that matters."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

ALIKE = 16
"""Draws by kind instead of by user pay off when there are this many times more users than kinds."""


def per_user(values: Floats, groups: Integers) -> tuple[Floats, Floats]:
    """Sums of values (R, m) over the targets of each user, (U, m), and how many targets these are, (U,)."""
    users, user_of = np.unique(groups, return_inverse=True)
    n = len(users)
    columns = [np.bincount(user_of, weights=column, minlength=n) for column in values.T]
    sums: Floats = np.stack(columns, axis=1).astype(np.float64)
    return sums, np.bincount(user_of, minlength=n).astype(np.float64)


def kinds(rows: Floats) -> tuple[Floats, Integers] | None:
    """Distinct rows and how often each occurs, ``None`` where they are too many for draws by kind to be faster.

    Metrics that are cut off at K have few values, so that the users of a large shop are of a few hundred kinds.
    """
    distinct, counts = np.unique(rows, axis=0, return_counts=True)
    return (distinct, counts) if len(distinct) * ALIKE <= len(rows) else None
