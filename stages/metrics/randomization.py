"""Is a difference between two recommenders more than chance: the paired randomization test, and Holm's correction."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_CELLS = 1 << 22
"""Signs held at a time, 32 MiB."""

_ROUNDING = 1e-12
"""Sums that differ by less than this share of their terms are equal but for the order of addition."""


def randomization_test(differences: Floats, groups: npt.NDArray[np.int64], *, samples: int, seed: int) -> Floats:
    """Two-sided p-values of mean differences, if which of the two recommenders is which were left to chance per user.

    Swapping the two for a user flips the sign of all the user's differences. Where there are no more ways to do so
    than ``samples``, all are counted and the p-values are exact; else they are estimated from random ones, of which
    the one observed counts as one, so that no p-value is 0.

    Args:
        differences: (R, m) metrics of each target with one recommender minus those with the other.
        groups: (R,) user of each target.
        samples: random swaps, B; the smallest p-value is 1 / (B + 1).
        seed: decides the swaps.

    Returns:
        (m,) p-values; 1 where no user differs.

    References:
        Smucker, Allan and Carterette, A comparison of statistical significance tests for information retrieval
        evaluation, CIKM 2007. Phipson and Smyth, Permutation p-values should never be zero, 2010.
    """
    users, user_of = np.unique(groups, return_inverse=True)
    sums = np.stack([np.bincount(user_of, weights=column, minlength=len(users)) for column in differences.T], axis=1)
    sums = sums[(sums != 0).any(axis=1)]  # the sign of nothing does not matter
    n = len(sums)
    reach = np.abs(sums.sum(axis=0)) - _ROUNDING * np.abs(sums).sum(axis=0)
    exact = n < 63 and 2**n <= samples
    total = 2**n if exact else samples
    generator = np.random.default_rng(seed)
    as_far = np.zeros(differences.shape[1], np.int64)
    step = max(1, _CELLS // max(1, n))
    flipped: npt.NDArray[np.integer]
    for start in range(0, total, step):
        count = min(step, total - start)
        if exact:
            flipped = (np.arange(start, start + count)[:, None] >> np.arange(n)) & 1
        else:
            width = -(-n // 32) * 4  # whole words, as the generator draws them, whatever the step
            packed = np.frombuffer(generator.bytes(count * width), np.uint8).reshape(count, width)
            flipped = np.unpackbits(packed, axis=1, count=n)
        as_far += (np.abs((1.0 - 2.0 * flipped) @ sums) >= reach).sum(axis=0)
    return as_far / total if exact else (as_far + 1) / (total + 1)


def holm(p_values: npt.ArrayLike) -> Floats:
    """P-values (m,) corrected for m comparisons, so that the chance of any false finding stays below the level.

    Reference: Holm, A simple sequentially rejective multiple test procedure, 1979.
    """
    raw = np.asarray(p_values, np.float64)
    order = np.argsort(raw, kind="stable")
    corrected = np.empty_like(raw)
    corrected[order] = np.minimum(1.0, np.maximum.accumulate((len(raw) - np.arange(len(raw))) * raw[order]))
    return corrected
