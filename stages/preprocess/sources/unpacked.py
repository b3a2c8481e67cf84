"""Refuses gzip files made to burst memory: by a line, which engines hold whole, or by the number of their lines."""

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
        most = max(UNPACKED_BYTES, RATIO * path.stat().st_size)
        unpacked.seek(0)
        line, length, total = 1, 0, 0
        while chunk := unpacked.read(_CHUNK):
            end = chunk.find(b"\n")
            length += len(chunk) if end < 0 else end
            if length > LINE_BYTES:
                raise DataError(
                    f"{path}: line {line:,} unpacks to more than {LINE_BYTES >> 20} MiB",
                    "Unpack the file and look at that line; a record of a log is far shorter.",
                )
            total += len(chunk)
            if total > most:
                raise DataError(
                    f"{path} unpacks to more than {RATIO} times its size ({total >> 20:,} MiB by line {line:,})",
                    "Files that do so are made to fill memory. If this one is honest, unpack it and give the result.",
                )
            line += chunk.count(b"\n")
            length = length if end < 0 else len(chunk) - chunk.rfind(b"\n") - 1
    unpacked.seek(0)


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
