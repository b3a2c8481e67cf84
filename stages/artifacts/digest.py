"""The digest that a file carries of itself, so that any changed byte of it is found wherever the file goes.

It stands in the metadata as ``self-sha256:`` and 64 digits: the SHA-256 of the whole file with zeros for these digits.
A note beside it says so, and gives away a digest that was itself damaged beyond recognition.
"""

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from stages.artifacts.errors import DataError
from stages.artifacts.pipeline import again

_MARK = "self-sha256:"
_DIGITS = 64
_NOTE = "this file with zeros for the 64 digits of the digest"
# With its key, so that a column or an item of that name does not pass for it. In the metadata of a safetensors file the
# JSON is a text in JSON, whose quotes are escaped.
_DIGEST = re.compile(rf'"digest\\?":\s*\\?"{_MARK}([0-9a-f]{{{_DIGITS}}})\\?"'.encode())
_ZEROS = b"0" * _DIGITS
_BLOCK = 1 << 20
_LONGEST = 1 << 24

State = tuple[int, int, int, int]

_sound: dict[str, State] = {}
"""Files that this process has read in full and found to be what was written, by path, in the state they had then."""

OPEN_DIGEST = {"digest": f"{_MARK}{_ZEROS.decode()}", "digest_of": _NOTE}
"""Goes last into a file's metadata; :func:`fill_in_digest` fills in the digits once the file is whole."""


def fill_in_digest(path: Path, suffix: str) -> None:
    """Fill in the digest of a file that carries an :data:`OPEN_DIGEST`; leave any other file alone.

    Args:
        path: the file.
        suffix: what tells its format: ``.parquet``, ``.safetensors``, ``.json`` or ``.md``.

    Raises:
        OSError: when it cannot be read or written.
    """
    with path.open("r+b") as file:
        place, _ = _find(file, suffix)
        if place is not None:
            _, digits = _hash(file, place)
            file.seek(place)
            file.write(digits)


def fingerprint(path: Path) -> str:
    """The SHA-256 of a file's bytes, ``"sha256:..."``; a file that carries a digest is held against it on the way.

    Raises:
        DataError: when the bytes are not those that were written.
        OSError: when the file cannot be read.
    """
    path = Path(path)
    with path.open("rb") as file:
        state = file_state(os.fstat(file.fileno()))
        place, noted = _find(file, path.suffix)
        if place is None and noted:
            raise _damaged(path)
        whole, digits = _hash(file, place)
        if place is not None:
            file.seek(place)
            if file.read(_DIGITS) != digits:
                raise _damaged(path)
    _sound[str(path.absolute())] = state
    return f"sha256:{whole}"


def check_digest(path: Path) -> None:
    """Hold a file against the digest it carries; one without a digest, made by another tool, passes.

    Raises:
        DataError: when the bytes are not those that were written.
        OSError: when the file cannot be read.
    """
    if has_digest(path):
        fingerprint(path)


def check_digest_once(path: Path) -> None:
    """:func:`check_digest`, unless this process has already done so and the file has not been written to since.

    What was found out by earlier processes does not count: a disk can lose a bit without any write.

    Raises:
        DataError: when the bytes are not those that were written.
        OSError: when the file cannot be read.
    """
    path = Path(path)
    if _sound.get(str(path.absolute())) != file_state(path.stat()):
        check_digest(path)


def file_state(stat: os.stat_result) -> State:
    """What changes whenever a file is written or replaced: size, times of content and of status, inode."""
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino


def has_digest(path: Path) -> bool:
    """Whether a file carries a digest of itself, or says that it does.

    Raises:
        OSError: when the file cannot be read.
    """
    path = Path(path)
    with path.open("rb") as file:
        place, noted = _find(file, path.suffix)
    return place is not None or noted


def _damaged(path: Path) -> DataError:
    return DataError(
        f"{path} is damaged: its bytes are not those that were written", again(path) or "Fetch a good copy."
    )


def _find(file: BinaryIO, suffix: str) -> tuple[int | None, bool]:
    """Where in the file the digits of its digest stand, and whether the note is there."""
    start, length = _metadata(file, suffix)
    file.seek(start)
    text = file.read(length)
    # The last one: what comes from data stands before the file's own digest.
    last = max((found.start(1) for found in _DIGEST.finditer(text)), default=None)
    return None if last is None else start + last, _NOTE.encode() in text


def _metadata(file: BinaryIO, suffix: str) -> tuple[int, int]:
    """Start and length of the part of a file that holds its metadata; length 0 where there is none."""
    size = file.seek(0, os.SEEK_END)
    if suffix == ".json":
        return 0, size
    if suffix == ".md":  # a comment in its second line; what follows its front matter comes from data
        file.seek(0)
        return 0, sum(len(file.readline(_LONGEST)) for _ in range(3))
    if suffix == ".parquet" and size >= 12:
        file.seek(size - 8)
        length = int.from_bytes(file.read(4), "little")
        return max(0, size - 8 - length), min(length, size - 8)
    if suffix == ".safetensors" and size >= 8:
        file.seek(0)
        return 8, min(int.from_bytes(file.read(8), "little"), size - 8)
    return 0, 0


def _hash(file: BinaryIO, place: int | None) -> tuple[str, bytes]:
    """The SHA-256 of a file as it is, and with zeros at ``place`` instead of the digits there."""
    whole = hashlib.sha256()
    file.seek(0)
    for block in _blocks(file, place):
        whole.update(block)
    zeroed = whole.copy()
    if place is not None:
        zeroed.update(_ZEROS)
        whole.update(file.read(_DIGITS))
        for block in _blocks(file, None):
            whole.update(block)
            zeroed.update(block)
    return whole.hexdigest(), zeroed.hexdigest().encode()


def _blocks(file: BinaryIO, count: int | None) -> Iterator[bytes]:
    """The next ``count`` bytes of a file, or all to its end, in blocks."""
    left = count
    while block := file.read(_BLOCK if left is None else min(_BLOCK, left)):
        yield block
        left = None if left is None else left - len(block)
