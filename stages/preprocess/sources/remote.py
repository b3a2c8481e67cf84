"""Remote input files: copied once into the work directory, and again when they have changed.

Copies, because a file is looked at, hashed and read, and because text in gzip cannot be read in chunks. Storages are
reached through fsspec: S3 and Google's with Arrow's own clients, which need no further package, others with the package
that fsspec names. Credentials come from where the storage's own tools take them (environment, configuration files, the
machine's role).
"""

import fnmatch
import glob
import hashlib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from stages.artifacts.atomic import atomic_path
from stages.artifacts.copies import COPIES, known_origin, note_origin
from stages.artifacts.errors import DataError

_HTTP = ("http", "https")
_ARROW = ("s3", "gs", "file")
_ADDRESS = re.compile(r"(?P<scheme>https?|s3|gs|file|az|abfss?|hf|hdfs|sftp):/+(?=[^/])")
_SECONDS = 60
_BLOCK = 8 << 20
_HINT = "Check the address and the access to it, or copy the file yourself."


class _NotFetchedError(Exception):
    """Why a file did not come, in words; no ``OSError``, so that it is never taken for a problem of the own disk."""


def address_of(name: str | Path) -> str | None:
    """``name`` if it is an address, not a path; also one that was taken for a path and so lost a slash."""
    match = _ADDRESS.match(str(name))
    if match is None:
        return None
    return f"{match['scheme']}://{'/' if match['scheme'] == 'file' else ''}{str(name)[match.end() :]}"


def listed(address: str) -> list[str] | None:
    """The addresses of all files below the folder at ``address``, or of those that match it as a pattern, sorted.

    Returns:
        ``None`` where the address is that of a file, and over HTTP, where nothing can be listed.

    Raises:
        DataError: when the storage cannot be reached.
    """
    parts = urlsplit(address)
    if parts.scheme in _HTTP:
        return None
    folder, pattern = unquote(parts.path), "*"
    with _reaching(address):
        storage, path = _storage(address)
        kind = (_info(storage, path) or {}).get("type")
        if kind is None and glob.has_magic(folder):
            folder, _, pattern = folder.rpartition("/")
            path = path.rpartition("/")[0]
        elif kind != "directory":
            return None
        below = kind == "directory"
        there = storage.find(path) if below else storage.ls(path, detail=True) if _info(storage, path) else []
    if below:
        inside = path.strip("/") + "/"
        chosen = sorted(name.partition(inside)[2] for name in there)
    else:
        names = sorted(info["name"].rpartition("/")[2] for info in there if info["type"] == "file")
        chosen = [name for name in names if fnmatch.fnmatchcase(name, pattern)]
    return [urlunsplit(parts._replace(path=quote(f"{folder.rstrip('/')}/{name}"))) for name in chosen]


def fetch(address: str, workdir: Path, max_bytes: int) -> Path:
    """The local copy of the file at ``address``, fetched anew when it changed, there or here.

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
    get = _over_http if urlsplit(address).scheme in _HTTP else _from_storage
    with _reaching(address):
        known = known_origin(copy)
        state = get(address, copy, known, max_bytes)
    origin = {"address": address, **state}
    if origin != known:
        note_origin(copy, origin)
    return copy


@contextmanager
def _reaching(address: str) -> Iterator[None]:
    """Turn what goes wrong on the way into a :class:`DataError`."""
    try:
        yield
    except (OSError, ValueError, ImportError, _NotFetchedError) as error:
        raise DataError(f"cannot fetch {address}: {error}", _HINT) from error


def _over_http(address: str, copy: Path, known: dict[str, Any], max_bytes: int) -> dict[str, Any]:
    from stages.frame.http import CutError, NotThereError, PassingError, open_url

    headers = {}
    for header, key in (("If-None-Match", "etag"), ("If-Modified-Since", "modified")):
        if known.get(key) and known.get("address") == address:
            headers[header] = known[key]
    try:
        with open_url(address, headers, timeout=_SECONDS, hint=_HINT) as answer:
            if answer.status == 304:
                return known
            _receive(address, answer.blocks(), copy, answer.size, max_bytes)
            return {"etag": answer.headers.get("ETag"), "modified": answer.headers.get("Last-Modified")}
    except NotThereError as error:
        raise _NotFetchedError("there is no such file (HTTP 404)") from error
    except CutError as error:
        raise _NotFetchedError(f"the connection broke off before all had come ({error})") from error
    except PassingError as error:
        raise _NotFetchedError(str(error)) from error


def _from_storage(address: str, copy: Path, known: dict[str, Any], max_bytes: int) -> dict[str, Any]:
    storage, path = _storage(address)
    info = _info(storage, path)
    if info is None or info["type"] != "file":
        raise _NotFetchedError("there is no such file")
    state = {"version": storage.ukey(path)}
    if known != {"address": address, **state}:
        in_order = {"seekable": False} if urlsplit(address).scheme in _ARROW else {"cache_type": "readahead"}
        with storage.open(path, "rb", **in_order) as source:
            _receive(address, _blocks(source), copy, info["size"], max_bytes)
    return state


def _storage(address: str) -> tuple[Any, str]:
    """The storage that an address is in, and the path there; blanks and brackets may stand as they are."""
    parts = urlsplit(address)
    if parts.scheme not in _ARROW:
        from fsspec.core import url_to_fs

        found: tuple[Any, str] = url_to_fs(unquote(address))
        return found
    from fsspec.implementations.arrow import ArrowFSWrapper
    from pyarrow import fs

    storage, path = fs.FileSystem.from_uri(urlunsplit(parts._replace(path=quote(unquote(parts.path)))))
    return ArrowFSWrapper(storage), path


def _info(storage: Any, path: str) -> dict[str, Any] | None:
    """What is at a path (``type``, ``size``); ``None`` where nothing is."""
    try:
        found: dict[str, Any] = storage.info(path)
    except FileNotFoundError:
        return None
    return found


def _blocks(source: Any) -> Iterator[bytes]:
    try:
        while block := source.read(_BLOCK):
            yield block
    except OSError as error:
        raise _NotFetchedError(str(error)) from error


def _receive(address: str, blocks: Iterable[bytes], copy: Path, size: int | None, max_bytes: int) -> None:
    """Write the ``blocks`` to ``copy``, never more than ``max_bytes``; ``size`` is what was announced.

    Raises:
        DataError: when there is more, or less than announced.
    """
    received = 0
    too_large = DataError(
        f"cannot fetch {address}: it has more than the {max_bytes:,} bytes of --max-size",
        "If you want that much data, raise --max-size.",
    )
    if (size or 0) > max_bytes:
        raise too_large
    with atomic_path(copy) as temporary, temporary.open("wb") as file:
        for block in blocks:
            received += len(block)
            if received > max_bytes:
                raise too_large
            file.write(block)
        if size is not None and received != size:
            raise DataError(
                f"cannot fetch {address}: the connection broke off before all {size:,} bytes had come",
                "Try again, or copy the file yourself.",
            )
