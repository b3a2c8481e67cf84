"""Is a difference between two recommenders more than chance: the paired randomization test, and Holm's correction."""

import numpy as np
import numpy.typing as npt

from stages.metrics.users import kinds

Floats = npt.NDArray[np.float64]

_CELLS = 1 << 22
"""Swaps held at a time, 32 MiB."""

_EXACT = 16
"""Users who differ, at most, for all their swaps to be held and counted."""

_ROUNDING = 1e-12
"""Sums that differ by less than this share of their terms are equal but for the order of addition."""


def randomization_test(differences: Floats, *, samples: int, seed: int) -> Floats:
    """Two-sided p-values of mean differences, if which of the two recommenders is which were left to chance per user.

    Swapping the two for a user flips the sign of all the user's differences. Where few users differ and there are no
    more ways to swap them than ``samples``, all are counted and the p-values are exact; else they are estimated from
    random ones, of which the one observed counts as one, so that no p-value is 0.

    Args:
        differences: (U, m) metrics of each user with one recommender minus those with the other.
        samples: random swaps, B; the smallest p-value is 1 / (B + 1).
        seed: decides the swaps.

    Returns:
        (m,) p-values; 1 where no user differs.

    References:
        Smucker, Allan and Carterette, A comparison of statistical significance tests for information retrieval
        evaluation, CIKM 2007. Phipson and Smyth, Permutation p-values should never be zero, 2010.
    """
    differing = differences[(differences != 0).any(axis=1)]  # the sign of nothing does not matter
    n = len(differing)
    reach = np.abs(differing.sum(axis=0)) - _ROUNDING * np.abs(differing).sum(axis=0)
    if n <= _EXACT and 2**n <= samples:
        swaps = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
        exact: Floats = _as_far(swaps, differing, np.ones(n, np.int64), reach) / 2**n
        return exact
    as_far = np.zeros(differences.shape[1], np.int64)
    generator = np.random.default_rng(seed)
    alike = kinds(differing)
    rows, counts = alike or (differing, np.ones(n, np.int64))
    step = max(1, _CELLS // len(rows))
    for start in range(0, samples, step):
        size = (min(step, samples - start), len(rows))
        # How many users of a kind are swapped is binomial: the same distribution, without drawing each user.
        swapped = generator.binomial(counts, 0.5, size=size) if alike else _bits(generator, size)
        as_far += _as_far(swapped, rows, counts, reach)
    return (as_far + 1) / (samples + 1)


def _bits(generator: np.random.Generator, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Fair coins, the same whatever the number of rows drawn at a time."""
    width = -(-size[1] // 32) * 4  # whole words, as the generator draws them
    packed = np.frombuffer(generator.bytes(size[0] * width), np.uint8).reshape(size[0], width)
    return np.unpackbits(packed, axis=1, count=size[1])


def _as_far(
    swapped: npt.NDArray[np.integer], rows: Floats, counts: npt.NDArray[np.int64], reach: Floats
) -> npt.NDArray[np.int64]:
    """In how many samples (m,) the sum reaches as far as observed, given how many users of each row are swapped."""
    sums = np.abs((counts - 2.0 * swapped) @ rows)
    return np.asarray((sums >= reach).sum(axis=0), np.int64)


def holm(p_values: npt.ArrayLike) -> Floats:
    """P-values (m,) corrected for m comparisons, so that the chance of any false finding stays below the level.

    Reference: Holm, A simple sequentially rejective multiple test procedure, 1979.
    """
    raw = np.asarray(p_values, np.float64)
    order = np.argsort(raw, kind="stable")
    corrected = np.empty_like(raw)
    corrected[order] = np.minimum(1.0, np.maximum.accumulate((len(raw) - np.arange(len(raw))) * raw[order]))
    return corrected
