"""Remote input files: copied once into the work directory, and again when they have changed.

Copies, because a file is looked at, hashed and read, and because text in gzip cannot be read in parts. Credentials
come from where the storage's own tools take them (environment, configuration files, the machine's role).
"""

import fnmatch
import glob
import hashlib
import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from stages.artifacts.atomic import atomic_path, write_json
from stages.artifacts.errors import DataError

COPIES = ".cocorec/inputs"
"""Folder of the copies in the work directory."""

_HTTP = ("http", "https")
_ADDRESS = re.compile(r"(?P<scheme>https?|s3|gs|file):/+(?=[^/])")
_SECONDS = 60
_BLOCK = 8 << 20


def address_of(name: str | Path) -> str | None:
    """``name`` if it is an address, not a path; also one that was taken for a path and so lost a slash."""
    match = _ADDRESS.match(str(name))
    if match is None:
        return None
    return f"{match['scheme']}://{'/' if match['scheme'] == 'file' else ''}{str(name)[match.end() :]}"


def listed(address: str) -> list[str] | None:
    """The addresses of all files below the folder at ``address``, or of those whose names match it as a pattern, sorted.

    Returns:
        ``None`` where the address is that of a file, and over HTTP, where nothing can be listed.

    Raises:
        DataError: when the storage cannot be reached.
    """
    parts = urlsplit(address)
    if parts.scheme in _HTTP:
        return None
    from pyarrow import fs

    folder, pattern = unquote(parts.path), "*"
    with _reaching(address):
        storage, path = _storage(address)
        kind = storage.get_file_info(path).type
        if kind == fs.FileType.NotFound and glob.has_magic(folder):
            folder, _, pattern = folder.rpartition("/")
            path = path.rpartition("/")[0]
        elif kind != fs.FileType.Directory:
            return None
        below = kind == fs.FileType.Directory
        found = storage.get_file_info(fs.FileSelector(path, allow_not_found=True, recursive=below))
    above = len(path.rstrip("/")) + 1
    names = sorted(info.path[above:] for info in found if info.type == fs.FileType.File)
    chosen = [name for name in names if below or fnmatch.fnmatchcase(name, pattern)]
    return [urlunsplit(parts._replace(path=quote(f"{folder.rstrip('/')}/{name}"))) for name in chosen]


def fetch(address: str, workdir: Path, max_bytes: int) -> Path:
    """The local copy of the file at ``address``, fetched anew when it changed.

    Files of one remote folder are copied into one folder, so that a published split stays together.

    Args:
        address: of a file.
        workdir: the work directory, which keeps the copy.
        max_bytes: a larger file is refused.

    Raises:
        DataError: when it cannot be fetched, or is too large.
    """
    base, _, name = urlsplit(address).path.rpartition("/")
    parent = address.partition("://")[0] + "://" + urlsplit(address).netloc + base
    plain = unquote(name).replace("/", "_")
    plain = "index" if plain in ("", ".", "..") else plain
    copy = workdir / COPIES / hashlib.sha256(parent.encode()).hexdigest()[:16] / plain
    note = copy.with_name(copy.name + ".source.json")
    known: dict[str, Any] = {}
    get = _over_http if urlsplit(address).scheme in _HTTP else _from_storage
    with _reaching(address):
        if copy.is_file() and note.is_file():
            known = json.loads(note.read_text(encoding="utf-8"))
        state = get(address, copy, known, max_bytes)
    write_json(note, {"address": address, **state})
    return copy


@contextmanager
def _reaching(address: str) -> Iterator[None]:
    """Turn what goes wrong on the way into a :class:`DataError`."""
    try:
        yield
    except (OSError, ValueError) as error:
        reason = error if isinstance(error, urllib.error.HTTPError) else getattr(error, "reason", error)
        raise DataError(
            f"cannot fetch {address}: {reason}", "Check the address and the access to it, or copy the file yourself."
        ) from error


def _over_http(address: str, copy: Path, known: dict[str, Any], max_bytes: int) -> dict[str, Any]:
    headers = {"User-Agent": "cocorec"}
    for header, key in (("If-None-Match", "etag"), ("If-Modified-Since", "modified")):
        if known.get(key) and known.get("address") == address:
            headers[header] = known[key]
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=_SECONDS) as answer:
            size = answer.headers.get("Content-Length")
            _receive(address, answer, copy, None if size is None else int(size), max_bytes)
            return {"etag": answer.headers.get("ETag"), "modified": answer.headers.get("Last-Modified")}
    except urllib.error.HTTPError as error:
        if error.code == HTTPStatus.NOT_MODIFIED:
            return known
        raise


def _from_storage(address: str, copy: Path, known: dict[str, Any], max_bytes: int) -> dict[str, Any]:
    from pyarrow import fs

    storage, path = _storage(address)
    info = storage.get_file_info(path)
    if info.type != fs.FileType.File:
        raise OSError("there is no such file")
    state = {"size": info.size, "modified": info.mtime_ns}
    if known != {"address": address, **state}:
        with storage.open_input_stream(path, compression=None) as source:  # as it is, also gzip
            _receive(address, source, copy, info.size, max_bytes)
    return state


def _storage(address: str) -> tuple[Any, str]:
    """The storage that an address is in, and the path there; blanks and brackets may stand as they are."""
    from pyarrow import fs

    parts = urlsplit(address)
    found: tuple[Any, str] = fs.FileSystem.from_uri(urlunsplit(parts._replace(path=quote(unquote(parts.path)))))
    return found


def _receive(address: str, source: Any, copy: Path, size: int | None, max_bytes: int) -> None:
    """Write what ``source`` gives to ``copy``, never more than ``max_bytes``; ``size`` is what was announced.

    Raises:
        DataError: when there is more, or less than announced.
    """
    received = 0
    with atomic_path(copy) as temporary, temporary.open("wb") as file:
        while (size or 0) <= max_bytes and received <= max_bytes and (block := source.read(_BLOCK)):
            received += len(block)
            file.write(block)
        if max(size or 0, received) > max_bytes:
            raise DataError(
                f"cannot fetch {address}: it has more than the {max_bytes:,} bytes of --max-size",
                "If you want that much data, raise --max-size.",
            )
        if size is not None and received != size:
            raise DataError(
                f"cannot fetch {address}: the connection broke off before all {size:,} bytes had come",
                "Try again, or copy the file yourself.",
            )
