"""The digest that a file carries of itself, so that any changed byte of it is found wherever the file goes.

It stands in the metadata as ``self-sha256:`` and 64 digits: the SHA-256 of the whole file with zeros for these digits.
A note beside it says so, and gives away a digest that was itself damaged beyond recognition.
"""

import hashlib
import os
from pathlib import Path
from typing import BinaryIO

from stages.artifacts.errors import DataError
from stages.artifacts.pipeline import stage_of

_MARK = b"self-sha256:"
_DIGITS = 64
_ZEROS = b"0" * _DIGITS
_NOTE = "this file with zeros for the 64 digits of the digest"
_BLOCK = 1 << 20

OPEN_SEAL = {"digest": f"{_MARK.decode()}{_ZEROS.decode()}", "digest_of": _NOTE}
"""Goes last into a file's metadata; :func:`seal` fills in the digits once the file is whole."""


def seal(path: Path, suffix: str) -> None:
    """Fill in the digest of a file that carries an :data:`OPEN_SEAL`; leave any other file alone.

    Args:
        path: the file.
        suffix: what tells its format: ``.parquet``, ``.safetensors`` or ``.json``.

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
        place, noted = _find(file, path.suffix)
        if place is None and noted:
            raise _damaged(path)
        whole, digits = _hash(file, place)
        if place is not None:
            file.seek(place)
            if file.read(_DIGITS) != digits:
                raise _damaged(path)
    return f"sha256:{whole}"


def check_seal(path: Path) -> None:
    """Hold a file against the digest it carries; one without a digest, made by another tool, passes.

    Raises:
        DataError: when the bytes are not those that were written.
        OSError: when the file cannot be read.
    """
    path = Path(path)
    with path.open("rb") as file:
        place, noted = _find(file, path.suffix)
    if place is not None or noted:
        fingerprint(path)


def _damaged(path: Path) -> DataError:
    stage = stage_of(path)
    return DataError(
        f"{path} is damaged: its bytes are not those that were written",
        f"Run `cocorec {stage} --force` to write it again, or fetch a good copy." if stage else "Fetch a good copy.",
    )


def _find(file: BinaryIO, suffix: str) -> tuple[int | None, bool]:
    """Where in the file the digits of its digest stand, and whether the note is there."""
    start, length = _metadata(file, suffix)
    file.seek(start)
    text = file.read(length)
    mark = text.rfind(_MARK)
    place = None if mark < 0 else start + mark + len(_MARK)
    return place, _NOTE.encode() in text


def _metadata(file: BinaryIO, suffix: str) -> tuple[int, int]:
    """Start and length of the part of a file that holds its metadata; length 0 where there is none."""
    size = file.seek(0, os.SEEK_END)
    if suffix == ".json":
        return 0, size
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
    if place is None:
        return hashlib.file_digest(file, "sha256").hexdigest(), b""
    left = place
    while left:
        block = file.read(min(_BLOCK, left))
        if not block:
            break
        whole.update(block)
        left -= len(block)
    zeroed = whole.copy()
    zeroed.update(_ZEROS)
    whole.update(file.read(_DIGITS))
    while block := file.read(_BLOCK):
        whole.update(block)
        zeroed.update(block)
    return whole.hexdigest(), zeroed.hexdigest().encode()
