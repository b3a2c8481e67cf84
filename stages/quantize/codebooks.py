"""A view's quantizer: whitening, codebooks, and coding as a pure function of both."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stages.whitening import Whitening

Matrix = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.uint16]

_SCORES = 1 << 18  # distances held at once, 2 MiB, so that they stay in the cache
_ROWS = 2_048


@dataclass(frozen=True)
class ViewQuantizer:
    """What turns the vectors of one view into codes.

    Attributes:
        method: ``pq`` or ``rq``.
        whitening: from D dimensions to k uncorrelated ones.
        codebooks: (levels, K, s) float32 centroids; s is k / levels for product quantization, whose level j codes the
            slice j of the whitened vector, and k for residual quantization, whose level j codes what the levels
            before it left over.
    """

    method: str
    whitening: Whitening
    codebooks: Matrix

    @property
    def levels(self) -> int:
        """Codes per item."""
        return int(self.codebooks.shape[0])

    @property
    def codebook_size(self) -> int:
        """Values of a code, K."""
        return int(self.codebooks.shape[1])

    def encode(self, whitened: Matrix) -> Codes:
        """The codes (N, levels) of whitened vectors (N, k): at each level the nearest centroid, ties to the lower."""
        codes = np.empty((len(whitened), self.levels), np.uint16)
        residual = whitened.copy() if self.method == "rq" else whitened
        for level, codebook in enumerate(self.codebooks):
            codes[:, level] = nearest(self._part(residual, level), codebook)
            if self.method == "rq":
                residual -= codebook[codes[:, level]]
        return codes

    def decode(self, codes: Codes) -> Matrix:
        """The whitened vectors (N, k) that codes (N, levels) stand for."""
        parts = [codebook[codes[:, level]] for level, codebook in enumerate(self.codebooks)]
        return np.sum(parts, axis=0, dtype=np.float32) if self.method == "rq" else np.concatenate(parts, axis=1)

    def relative_error(self, whitened: Matrix, codes: Codes) -> float:
        """Squared reconstruction error by squared norm, both summed over the vectors; 0 is perfect, 1 says nothing."""
        lost, kept = self.squares(whitened, codes).sum(axis=0)
        return float(lost / kept) if kept else 0.0

    def squares(self, whitened: Matrix, codes: Codes) -> npt.NDArray[np.float64]:
        """Squared reconstruction error and squared norm of each vector, (N, 2)."""
        result = np.empty((len(whitened), 2))
        for start in range(0, len(whitened), _ROWS):
            rows = slice(start, start + _ROWS)
            vectors = whitened[rows].astype(np.float64)
            np.einsum("ij,ij->i", vectors, vectors, out=result[rows, 1])
            vectors -= self.decode(codes[rows])
            np.einsum("ij,ij->i", vectors, vectors, out=result[rows, 0])
        return result

    def _part(self, vectors: Matrix, level: int) -> Matrix:
        if self.method == "rq":
            return vectors
        width = self.codebooks.shape[2]
        return vectors[:, level * width : (level + 1) * width]


def nearest(vectors: Matrix, centroids: Matrix) -> npt.NDArray[np.int64]:
    """The nearest of K centroids (K, s) to each vector (N, s), by Euclidean distance.

    Distances are compared in float64, so that the number of rows or threads cannot turn the choice.
    """
    table = centroids.astype(np.float64)
    norms = np.square(table).sum(axis=1)
    chosen = np.empty(len(vectors), np.int64)
    step = max(1, _SCORES // len(table))
    for start in range(0, len(vectors), step):
        scores = vectors[start : start + step].astype(np.float64) @ (-2.0 * table.T)
        scores += norms
        chosen[start : start + step] = scores.argmin(axis=1)
    return chosen
