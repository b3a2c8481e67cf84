"""PCA whitening of text vectors in plain numpy: the same matrix gives the same projection on every run.

Own code, because faiss' ``PCAMatrix`` gives covariances that are wrong by 2e-4 (here 1e-8), and NaN for vectors of low
rank.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stages.frame.threads import threads

FloatMatrix = npt.NDArray[np.float32]

TRAINING_ROWS = 262_144
"""Rows beyond this are sampled: the covariance of a few hundred dimensions is known well before."""

_CHUNK = 16_384
_CHUNK_APPLIED = 2_048  # so that a chunk in float64 stays in the cache
_NEGLIGIBLE = 1e-8  # of the largest variance: far below what carries meaning
_ROUNDING = 1e-12  # of the mean squared norm: what float32 vectors that should be equal differ by, with a margin


@dataclass(frozen=True)
class Whitening:
    """An affine map to uncorrelated directions of unit variance, largest variance first.

    Attributes:
        mean: (D,) float32, subtracted first.
        projection: (D, k) float32, with k at most the dimension asked for.
        explained: (k,) float64, share of the total variance that each direction had before whitening.
    """

    mean: FloatMatrix
    projection: FloatMatrix
    explained: npt.NDArray[np.float64]

    @property
    def dimension(self) -> int:
        """Directions kept, k; 0 where all vectors are equal."""
        return int(self.projection.shape[1])

    def apply(self, matrix: FloatMatrix, present: npt.NDArray[np.bool_] | None = None) -> FloatMatrix:
        """Whiten vectors (N, D) to (N, k) float32; rows that are not ``present`` (N,) become zero, the mean.

        Sums run in float64, so that neither the number of rows nor of threads shows in the result.
        """
        result = np.zeros((len(matrix), self.dimension), np.float32)
        mean, projection = self.mean.astype(np.float64), self.projection.astype(np.float64)
        for start in range(0, len(matrix), _CHUNK_APPLIED):
            rows = slice(start, start + _CHUNK_APPLIED)
            result[rows] = (matrix[rows] - mean) @ projection
        if present is not None:
            result[~present] = 0.0
        return result


def whiten(
    matrix: FloatMatrix,
    present: npt.NDArray[np.bool_] | None,
    dimension: int,
    *,
    max_rows: int = TRAINING_ROWS,
    seed: int = 0,
) -> Whitening:
    """Fit a PCA whitening on the rows that are present.

    Directions whose variance is negligible (constant components, more dimensions than rows, low rank) are dropped,
    never padded: look at :attr:`Whitening.dimension` for how many are left. Each direction's sign is chosen such
    that its largest component is positive.

    Args:
        matrix: (N, D) vectors.
        present: (N,) which rows count; ``None`` for all.
        dimension: how many directions to keep at most.
        max_rows: rows to fit on; beyond it, a sample.
        seed: decides the sample.
    """
    rows = training_rows(np.arange(len(matrix)) if present is None else np.flatnonzero(present), max_rows, seed)
    d = matrix.shape[1]
    count = max(1, len(rows))
    mean = sum((chunk.sum(axis=0) for chunk in _chunks(matrix, rows)), start=np.zeros(d)) / count
    covariance = np.zeros((d, d))
    for chunk in _chunks(matrix, rows):
        chunk -= mean
        covariance += chunk.T @ chunk
    covariance /= max(1, count - 1)
    with threads(1):  # LAPACK's last digits depend on their number
        variances, directions = np.linalg.eigh(covariance)
    variances, directions = variances[::-1], directions[:, ::-1]
    total = float(np.trace(covariance))
    largest = float(variances[0]) if d else 0.0
    floor = max(_NEGLIGIBLE * largest, _ROUNDING * (total + float(mean @ mean)))
    kept = min(dimension, int(np.count_nonzero(variances > floor)))
    variances, directions = variances[:kept], directions[:, :kept]
    signs = np.sign(directions[np.abs(directions).argmax(axis=0), np.arange(kept)])
    projection = directions * (signs / np.sqrt(variances))
    explained = variances / total if kept else np.zeros(0)
    return Whitening(mean.astype(np.float32), np.ascontiguousarray(projection.astype(np.float32)), explained)


def training_rows(rows: npt.NDArray[np.int64], max_rows: int = TRAINING_ROWS, seed: int = 0) -> npt.NDArray[np.int64]:
    """Those of the rows (R,), ascending, that :func:`whiten` looks at."""
    if len(rows) <= max_rows:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, max_rows, replace=False))


def _chunks(matrix: FloatMatrix, rows: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.float64]]:
    for start in range(0, len(rows), _CHUNK):
        yield matrix[rows[start : start + _CHUNK]].astype(np.float64)
