"""Finished vectors on disk, in chunks that are whole and checked, so that an interrupted run can continue."""

import hashlib
import os
import shutil
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stages.artifacts.atomic import atomic_path
from stages.artifacts.errors import DataError

Matrix = npt.NDArray[np.float32]
Index = npt.NDArray[np.int64]

_ROOT = ".cocorec"
_PREFIX = "embed-"
_DIGEST = 32


def remove_chunks(workdir: Path) -> None:
    """Delete all chunks in a work directory; they are of no use once ``embeddings.parquet`` is there."""
    _remove(Path(workdir) / _ROOT, None)


def _remove(root: Path, kept: Path | None) -> None:
    for folder in root.glob(f"{_PREFIX}*"):
        if folder != kept:
            shutil.rmtree(folder, ignore_errors=True)


class ChunkStore:
    """The vectors (T, D) float32 of T texts in encoding order, a file per chunk: SHA-256 of the rest, then the rows.

    Args:
        workdir: the work directory; chunks lie in its ``.cocorec/embed-<key>/``.
        key: what decides every byte of the vectors; chunks of another key are never read.
        starts: first row of each chunk, ending with T.
        dimension: D.

    Attributes:
        key: as given.
    """

    def __init__(self, workdir: Path, key: str, starts: Index, dimension: int) -> None:
        self.key = key
        self._root = Path(workdir) / _ROOT
        self._folder = self._root / f"{_PREFIX}{key}"
        self._starts = starts
        self._dimension = dimension
        self._checks = np.zeros(int(starts[-1]), np.uint32)  # of each row as it was made or found whole
        self._checked: set[int] = set()

    def __len__(self) -> int:
        return len(self._starts) - 1

    def rows(self, chunk: int) -> int:
        """How many texts a chunk holds."""
        return int(self._starts[chunk + 1] - self._starts[chunk])

    def read(self, chunk: int) -> Matrix | None:
        """The vectors of a finished chunk; ``None`` where it is missing, of another size or damaged."""
        try:
            content = self._path(chunk).read_bytes()
        except OSError:
            return None
        if len(content) != _DIGEST + self.rows(chunk) * self._dimension * 4:
            return None
        if hashlib.sha256(content[_DIGEST:]).digest() != content[:_DIGEST]:
            return None
        vectors = np.frombuffer(content, "<f4", offset=_DIGEST).reshape(-1, self._dimension)
        self._note(chunk, vectors)
        return vectors

    def require(self, chunk: int) -> Matrix:
        """The vectors of a chunk that was there a moment ago.

        Raises:
            DataError: when it is missing or damaged.
        """
        if (vectors := self.read(chunk)) is None:
            raise DataError(f"{self._path(chunk)} is missing or damaged", "Run `cocorec embed` again.")
        return vectors

    def write(self, chunk: int, vectors: Matrix) -> None:
        """Keep the vectors of a chunk.

        Raises:
            DataError: when the disk is full or the folder cannot be written.
        """
        vectors = np.ascontiguousarray(vectors, "<f4")
        content = vectors.tobytes()
        with atomic_path(self._path(chunk)) as temporary, temporary.open("wb") as file:
            file.write(hashlib.sha256(content).digest())
            file.write(content)
        self._note(chunk, vectors)

    def gather(self, rows: Index) -> Matrix:
        """The vectors of the texts at these places in encoding order, (len(rows), D).

        Raises:
            DataError: when a chunk is missing, or is not any more what was written.
        """
        result = np.empty((len(rows), self._dimension), "<f4")
        if not len(rows):
            return result
        chunks = np.searchsorted(self._starts, rows, side="right") - 1
        by_chunk = np.argsort(chunks, kind="stable")
        present, first = np.unique(chunks[by_chunk], return_index=True)
        for chunk, places in zip(present, np.split(by_chunk, first[1:]), strict=True):
            self._fill(result, places, rows, int(chunk))
        return result

    def remove_others(self) -> None:
        """Delete the chunks that interrupted runs with other options or texts left."""
        _remove(self._root, self._folder)

    def _note(self, chunk: int, vectors: Matrix) -> None:
        first = int(self._starts[chunk])
        self._checks[first : first + len(vectors)] = [zlib.crc32(row) for row in vectors]
        self._checked.add(chunk)

    def _fill(self, result: Matrix, places: Index, rows: Index, chunk: int) -> None:
        """Read rows of a chunk into places of ``result``; neither files nor their pages stay with the process."""
        size, first, path = 4 * self._dimension, int(self._starts[chunk]), self._path(chunk)
        try:
            if chunk not in self._checked and self.read(chunk) is None:
                raise OSError("it is missing or damaged")
            file = os.open(path, os.O_RDONLY)
            try:
                for place in places.tolist():
                    row = int(rows[place]) - first
                    if os.preadv(file, [result[place]], _DIGEST + row * size) != size:
                        raise OSError(f"it ends before row {row}")
                    if zlib.crc32(result[place]) != self._checks[first + row]:
                        raise OSError(f"row {row} is not what was written")
            finally:
                os.close(file)
        except OSError as error:
            raise DataError(f"cannot read {path}: {error}", "Run `cocorec embed` again.") from error

    def _path(self, chunk: int) -> Path:
        return self._folder / f"{chunk:06d}.f32"
