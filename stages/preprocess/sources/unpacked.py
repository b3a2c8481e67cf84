"""Refuses compressed files made to burst memory or disk: by a line, which engines hold whole, or by all they hold."""

import io
import os
from pathlib import Path
from typing import IO

from stages.artifacts.errors import DataError

LINE_BYTES = 64 << 20
"""Longest line read of a file that unpacks to far more than its size."""

RATIO = 100
"""Times its size to which no honest log unpacks: deflate ends at 1,032, tables and JSON stay below 30."""

UNPACKED_BYTES = 128 << 20
"""So much may a file of any ratio unpack to: beyond it, one that unpacks to :data:`RATIO` times its size is no log."""

_START = 1 << 20
_CHUNK = 1 << 20


def require_bounded(path: Path, raw: IO[bytes], unpacked: IO[bytes]) -> None:
    """Look through a gzip file for an overlong line or far too many lines, if its size or beginning gives reason to.

    Both files are left at their beginning.

    Args:
        path: the file, for the message.
        raw: the compressed bytes, from the beginning.
        unpacked: reads ``raw`` through gzip.

    Raises:
        DataError: naming the line, or how far it unpacks.
    """
    if _looks_inflated(raw, unpacked):
        bounds = _Bounds(path, 0)
        unpacked.seek(0)
        while chunk := unpacked.read(_CHUNK):
            bounds.hold(chunk)
    unpacked.seek(0)


class Bounded(io.RawIOBase):
    """What a compressed file holds, read on until it is too much.

    Args:
        path: the file, for the message.
        unpacked: reads it.

    Raises:
        DataError: in any read, once the file has unpacked to more than :data:`UNPACKED_BYTES` and :data:`RATIO` times
            its size, or to more than the latter with a line longer than :data:`LINE_BYTES`.
    """

    def __init__(self, path: Path, unpacked: IO[bytes]) -> None:
        self._unpacked, self._bounds = unpacked, _Bounds(path, RATIO * path.stat().st_size)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill the buffer."""
        data = self._unpacked.read(min(len(buffer), _CHUNK))
        self._bounds.hold(data)
        buffer[: len(data)] = data
        return len(data)


class _Bounds:
    """Counts what is read of a file.

    Args:
        path: the file.
        harmless: bytes of which a line may be as long as it likes.
    """

    def __init__(self, path: Path, harmless: int) -> None:
        self._path, self._harmless = path, harmless
        self._most = max(UNPACKED_BYTES, RATIO * path.stat().st_size)
        self._line, self._length, self._total = 1, 0, 0

    def hold(self, chunk: bytes) -> None:
        """Hold the next bytes against the bounds, at most :data:`_CHUNK`: what ends inside them is short."""
        end = chunk.find(b"\n")
        self._length += len(chunk) if end < 0 else end
        self._total += len(chunk)
        if self._length > LINE_BYTES and self._total > self._harmless:
            raise DataError(
                f"{self._path}: line {self._line:,} unpacks to more than {LINE_BYTES >> 20} MiB",
                "Unpack the file and look at that line; a record of a log is far shorter.",
            )
        if self._total > self._most:
            raise DataError(
                f"{self._path} unpacks to more than {RATIO} times its size "
                f"({self._total >> 20:,} MiB by line {self._line:,})",
                "Files that do so are made to fill memory. If this one is honest, unpack it and give the result.",
            )
        self._line += chunk.count(b"\n")
        self._length = self._length if end < 0 else len(chunk) - chunk.rfind(b"\n") - 1


def _looks_inflated(raw: IO[bytes], unpacked: IO[bytes]) -> bool:
    """By the size in the trailer, which wraps at 4 GiB, and by the first compressed bytes."""
    size = raw.seek(0, os.SEEK_END)
    raw.seek(max(0, size - 4))
    promised = int.from_bytes(raw.read(4), "little")
    raw.seek(0)
    if promised > RATIO * size:
        return True
    budget, read = min(size, _START), 0
    while raw.tell() < budget and (chunk := unpacked.read(_CHUNK)):
        read += len(chunk)
    return read > RATIO * budget
