"""Refuses gzip files made to burst memory: engines hold a line whole, however long it gets when unpacked."""

import os
from pathlib import Path
from typing import IO

from stages.artifacts.errors import DataError

LINE_BYTES = 64 << 20
"""Longest line read of a file that unpacks to far more than its size."""

RATIO = 100
"""Times its size to which no honest log unpacks: deflate ends at 1,032, tables and JSON stay below 30."""

_START = 1 << 20
_CHUNK = 1 << 20


def require_bounded_lines(path: Path, raw: IO[bytes], unpacked: IO[bytes]) -> None:
    """Look through a gzip file for an overlong line, if its size or its beginning gives reason to.

    Both files are left at their beginning.

    Args:
        path: the file, for the message.
        raw: the compressed bytes, from the beginning.
        unpacked: reads ``raw`` through gzip.

    Raises:
        DataError: naming the line.
    """
    if _looks_inflated(raw, unpacked):
        unpacked.seek(0)
        line, length = 1, 0
        while chunk := unpacked.read(_CHUNK):
            end, *others = chunk.split(b"\n")
            length += len(end)
            if length > LINE_BYTES:
                raise DataError(
                    f"{path}: line {line:,} unpacks to more than {LINE_BYTES >> 20} MiB",
                    "Unpack the file and look at that line; a record of a log is far shorter.",
                )
            line += len(others)
            length = len(others[-1]) if others else length
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
