"""Is a file whole: its checksum, and the checksums that gzip files carry."""

import base64
import binascii
import gzip
import hashlib
import re
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

_CHUNK = 1 << 20

_MOST_RATIO = 100
"""Times its size to which no honest file unpacks: deflate ends at 1,032, tables and JSON stay below 30."""

_HARMLESS = 64 << 20
"""Bytes that any file may unpack to: small ones of few distinct lines do so many times over."""

_DIGEST = re.compile(r"(?:^|,)\s*sha-256=:?([A-Za-z0-9+/=]+):?\s*(?=,|$)", re.IGNORECASE)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def announced_sha256(headers: Mapping[str, str]) -> str | None:
    """The SHA-256 of the whole file that a server announces (``Repr-Digest``, RFC 9530, or ``Digest``, RFC 3230)."""
    for name in ("Repr-Digest", "Digest"):
        found = _DIGEST.search(headers.get(name) or "")
        if found:
            try:
                digest = base64.b64decode(found[1], validate=True)
            except binascii.Error:
                continue
            if len(digest) == hashlib.sha256().digest_size:
                return digest.hex()
    return None


def gzip_problem(path: Path, progress: Callable[[int], None]) -> str | None:
    """What is wrong with a gzip file, in words; ``None`` when it unpacks to its end and its checksums agree.

    Args:
        path: the file; it is unpacked to nowhere, in bounded memory.
        progress: called with how many more of its bytes were read.
    """
    if not path.stat().st_size:
        return "it is empty"
    at = unpacked_bytes = 0
    try:
        with path.open("rb") as file, gzip.GzipFile(fileobj=file) as unpacked:
            while chunk := unpacked.read(_CHUNK):
                progress(file.tell() - at)
                at = file.tell()
                unpacked_bytes += len(chunk)
                if unpacked_bytes > _HARMLESS + _MOST_RATIO * at:
                    return f"it unpacks to more than {_MOST_RATIO} times its size"
    except EOFError:
        return "it ends too early"
    except (gzip.BadGzipFile, zlib.error) as error:
        return str(error)
    return None
