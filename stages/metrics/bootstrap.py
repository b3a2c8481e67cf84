"""Bootstrap confidence intervals of mean metrics."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def bootstrap_means(values: Floats, groups: npt.NDArray[np.int64], *, samples: int, seed: int) -> Floats:
    """Means of resampled users.

    Args:
        values: (R, m) metrics of each target.
        groups: (R,) user of each target; users, not targets, are drawn with replacement.
        samples: how many resamples, S.
        seed: decides the draws.

    Returns:
        (S, m).

    Reference: Efron and Tibshirani, An Introduction to the Bootstrap, 1993 (the percentile method).
    """
    users, user_of = np.unique(groups, return_inverse=True)
    n = len(users)
    targets = np.bincount(user_of, minlength=n).astype(np.float64)
    sums = np.stack([np.bincount(user_of, weights=column, minlength=n) for column in values.T], axis=1)
    generator = np.random.default_rng(seed)
    means = np.empty((samples, values.shape[1]))
    for sample in range(samples):
        times = np.bincount(generator.integers(n, size=n), minlength=n).astype(np.float64)
        means[sample] = times @ sums / (times @ targets)
    return means


def intervals(means: Floats, level: float = 0.95) -> tuple[Floats, Floats]:
    """The percentile interval of each metric: lower and upper ends, (m,) each, from (S, m) resampled means."""
    tail = (1 - level) / 2
    low, high = np.quantile(means, [tail, 1 - tail], axis=0)
    return low, high
