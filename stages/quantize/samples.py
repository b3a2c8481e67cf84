"""One view of ``embeddings.parquet`` read in chunks: some rows for training, all of them for coding."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stages.artifacts.vectors import iterate_view
from stages.quantize.codebooks import Mask, Matrix
from stages.quantize.diagnostics import row_numbers

Index = npt.NDArray[np.int64]


class ViewVectors:
    """The vectors of a view, never all in memory.

    Args:
        path: ``embeddings.parquet``.
        view: the column.
        dimension: D.

    Attributes:
        present: (N,) which items have the view.

    Raises:
        DataError: when the column is missing, has the wrong type, or holds a vector that is not finite.
    """

    def __init__(self, path: Path, view: str, dimension: int) -> None:
        self._path, self._view, self._dimension = path, view, dimension
        self.present: Mask = np.concatenate([np.zeros(0, np.bool_), *(present for _, present in self._read())])

    def chunks(self) -> Iterator[tuple[slice, Matrix]]:
        """Items from 0, and the vectors of those of them that have the view, in the order of the items."""
        start = 0
        for matrix, present in self._read():
            yield slice(start, start + len(present)), matrix if present.all() else matrix[present]
            start += len(present)

    def distinct_rows(self, most: int) -> Index | None:
        """The first item with each distinct vector, as rows from 0, ascending; ``None`` where these are over ``most``.

        Of nearly all views one chunk is enough to tell.
        """
        seen: dict[bytes, int] = {}
        for place, matrix in self.chunks():
            rows = place.start + np.flatnonzero(self.present[place])
            for first in np.unique(row_numbers(matrix), return_index=True)[1]:
                seen.setdefault(matrix[first].tobytes(), int(rows[first]))
                if len(seen) > most:
                    return None
        return np.sort(np.fromiter(seen.values(), np.int64, len(seen)))

    def gather(self, rows: Index) -> "Sample":
        """The vectors of some items that have the view, named by ascending rows from 0."""
        found = np.empty((len(rows), self._dimension), np.float32)
        start = 0
        for matrix, present in self._read():
            low, high = np.searchsorted(rows, [start, start + len(present)])
            found[low:high] = matrix[rows[low:high] - start]
            start += len(present)
        return Sample(rows, found)

    def _read(self) -> Iterator[tuple[Matrix, Mask]]:
        return iterate_view(self._path, self._view, self._dimension)


class Sample:
    """Vectors of some items, in memory.

    Args:
        rows: (R,) their rows from 0, ascending.
        vectors: (R, D).
    """

    def __init__(self, rows: Index, vectors: Matrix) -> None:
        self._rows, self._vectors = rows, vectors

    def at(self, rows: Index) -> Matrix:
        """The vectors of these items, (len(rows), D)."""
        return self._vectors[np.searchsorted(self._rows, rows)]
