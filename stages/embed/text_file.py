"""Texts on disk, so that memory does not grow with their length."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stages.artifacts.atomic import temporary_prefix
from stages.artifacts.errors import DataError

Index = npt.NDArray[np.int64]

_BUFFER = 1 << 20


class TextFile:
    """Texts that are appended once and read in any order, in a file that goes with the process.

    Args:
        folder: where the file lies, made when missing.
        named: the file has a name, by which other processes find it; where this one is killed, the next command in the
            work directory deletes what has such a name.

    Raises:
        DataError: here and in :meth:`append`, when the folder cannot be written or the disk is full.
    """

    def __init__(self, folder: Path, *, named: bool = False) -> None:
        self._folder = Path(folder)
        self._bounds: list[Index] = [np.zeros(1, np.int64)]
        self._end = 0
        with self._explained():
            self._folder.mkdir(parents=True, exist_ok=True)
            make = tempfile.NamedTemporaryFile if named else tempfile.TemporaryFile
            self._file = make(
                dir=self._folder,
                buffering=_BUFFER,
                prefix=temporary_prefix("texts"),  # where a file cannot be without a name, it has one for a moment
            )

    @property
    def path(self) -> Path:
        """The file, where it has a name."""
        return Path(self._file.name)

    def append(self, texts: Sequence[bytes]) -> None:
        """Add texts in UTF-8; the first one ever added has number 0."""
        if not texts:
            return
        ends = self._end + np.cumsum([len(text) for text in texts])
        with self._explained():
            self._file.write(b"".join(texts))
        self._bounds.append(ends)
        self._end = int(ends[-1])

    def finish(self) -> Index:
        """End the writing; where each text begins, and the last one ends (texts + 1,)."""
        with self._explained():
            self._file.flush()
        return np.concatenate(self._bounds)

    def read(self, start: int, end: int) -> str:
        """The text between two places in the file.

        Raises:
            DataError: when it cannot be read back.
        """
        return read_text(self._file.fileno(), start, end, self._folder)

    def __enter__(self) -> "TextFile":
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # what could not be written was told before, and nobody needs it any more
            self._file.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DataError(
                f"cannot write in {self._folder}: {error.strerror or error}",
                "Make room or choose a folder that can be written with --workdir; finished chunks are kept.",
            ) from error


def read_text(file: int, start: int, end: int, place: Path) -> str:
    """The text between two places in a file of texts.

    Args:
        file: descriptor of the file.
        start, end: where the text lies.
        place: of the file, for the error.

    Raises:
        DataError: when it cannot be read back.
    """
    try:
        return os.pread(file, end - start, start).decode()
    except OSError as error:
        raise DataError(
            f"cannot read back texts kept in {place}: {error.strerror or error}",
            "Run `cocorec embed` again; finished chunks are kept.",
        ) from error
