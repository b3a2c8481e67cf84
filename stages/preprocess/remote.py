"""Remote input files: copied once into the work directory, and again when they have changed.

Copies, because a file is looked at, hashed and read, and because text in gzip cannot be read in pieces. Credentials
come from where the storage's own tools take them (environment, configuration files, the machine's role).
"""

import hashlib
import json
import re
import shutil
import urllib.error
import urllib.request
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

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


def fetch(address: str, workdir: Path) -> Path:
    """The local copy of the file at ``address``, fetched anew when it changed.

    Files of one remote folder are copied into one folder, so that a published split stays together.

    Raises:
        DataError: when it cannot be fetched.
    """
    base, _, name = urlsplit(address).path.rpartition("/")
    parent = address.partition("://")[0] + "://" + urlsplit(address).netloc + base
    copy = workdir / COPIES / hashlib.sha256(parent.encode()).hexdigest()[:16] / (unquote(name) or "index")
    note = copy.with_name(copy.name + ".source.json")
    known: dict[str, Any] = {}
    if copy.is_file() and note.is_file():
        known = json.loads(note.read_text(encoding="utf-8"))
    get = _over_http if urlsplit(address).scheme in _HTTP else _from_storage
    try:
        state = get(address, copy, known)
    except (OSError, ValueError) as error:
        reason = error if isinstance(error, urllib.error.HTTPError) else getattr(error, "reason", error)
        raise DataError(
            f"cannot fetch {address}: {reason}", "Check the address and the access to it, or copy the file yourself."
        ) from error
    write_json(note, {"address": address, **state})
    return copy


def _over_http(address: str, copy: Path, known: dict[str, Any]) -> dict[str, Any]:
    headers = {"User-Agent": "cocorec"}
    for header, key in (("If-None-Match", "etag"), ("If-Modified-Since", "modified")):
        if known.get(key) and known.get("address") == address:
            headers[header] = known[key]
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=_SECONDS) as answer:
            size = answer.headers.get("Content-Length")
            with atomic_path(copy) as temporary:
                with temporary.open("wb") as file:
                    shutil.copyfileobj(answer, file, _BLOCK)
                if size is not None and temporary.stat().st_size != int(size):
                    raise DataError(
                        f"cannot fetch {address}: the connection broke off before all {int(size):,} bytes had come",
                        "Try again, or copy the file yourself.",
                    )
            return {"etag": answer.headers.get("ETag"), "modified": answer.headers.get("Last-Modified")}
    except urllib.error.HTTPError as error:
        if error.code == HTTPStatus.NOT_MODIFIED:
            return known
        raise


def _from_storage(address: str, copy: Path, known: dict[str, Any]) -> dict[str, Any]:
    from pyarrow import fs

    storage, path = fs.FileSystem.from_uri(address)
    info = storage.get_file_info(path)
    if info.type != fs.FileType.File:
        raise OSError("there is no such file")
    state = {"size": info.size, "modified": info.mtime_ns}
    if known != {"address": address, **state}:
        with atomic_path(copy) as temporary, temporary.open("wb") as file, storage.open_input_stream(path) as source:
            shutil.copyfileobj(source, file, _BLOCK)
    return state
