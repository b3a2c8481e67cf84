"""Fingerprints of files, remembered beside the artifacts so that an unchanged file is hashed once."""

import contextlib
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stages.artifacts.atomic import missing, not_permitted, read_json, remove_leftovers, require_file, write_json
from stages.artifacts.contents import PREFIX, content_fingerprint
from stages.artifacts.digest import check_digest, file_state, fingerprint
from stages.artifacts.errors import DataError

CACHE = ".cocorec/fingerprints.json"
_KEEP = 512


class Fingerprints:
    """SHA-256 of files and of what they say, cached by size, times and inode as version control systems do.

    A disk that loses a bit changes none of these, so whoever reads a file holds it against its own digest as well. An
    entry of the cache that is not what was written is passed over.

    Args:
        workdir: the work directory, whose ``.cocorec`` folder keeps the cache.
        trust_cache: ``False`` hashes every file again.
        keep: ``False`` leaves the cache as it is, for those who only look at the work directory.
    """

    def __init__(self, workdir: Path, *, trust_cache: bool = True, keep: bool = True) -> None:
        self._workdir = Path(workdir)
        self._keep = keep
        self._trust_cache = trust_cache
        self._known: dict[str, object] = {}
        with contextlib.suppress(DataError):  # a cache that is missing or damaged costs time, nothing else
            known = read_json(self._workdir / CACHE)
            self._known = known if isinstance(known, dict) else {}

    def of(self, path: Path) -> str:
        """The fingerprint ``"sha256:..."`` of a file's bytes; hashing also checks the digest that it carries.

        Raises:
            DataError: when the file is missing, cannot be read, or is not what was written.
        """
        return self._cached(Path(path).absolute(), "", fingerprint)

    def of_contents(self, path: Path) -> str:
        """The fingerprint ``"content-sha256:..."`` of an artifact's columns; see :mod:`stages.artifacts.contents`.

        Raises:
            DataError: when the file is missing, cannot be read, or is not what was written.
        """
        return self._cached(Path(path).absolute(), " contents", _contents)

    def like(self, path: Path, recorded: str) -> str:
        """The fingerprint of an artifact of the kind that was recorded: version 1 of the contract recorded bytes."""
        return self.of_contents(path) if recorded.startswith(PREFIX) else self.of(path)

    def _cached(self, path: Path, what: str, read: Callable[[Path], str]) -> str:
        try:
            require_file(path)
            state = list(file_state(path.stat()))
            key = f"{path}{what}"
            known = self._known.get(key)
            if self._trust_cache and isinstance(known, list) and len(known) == 6:
                *known_state, digest, check = known
                if known_state == state and check == _check(key, state, digest):
                    return str(digest)
            digest = read(path)
        except FileNotFoundError:
            raise missing(path) from None
        except PermissionError as error:
            raise not_permitted(path) from error
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror or error}") from error
        self._known.pop(key, None)
        self._known[key] = [*state, digest, _check(key, state, digest)]
        self._save()
        return digest

    def _save(self) -> None:
        if not self._keep or not self._workdir.is_dir():
            return
        latest = dict(list(self._known.items())[-_KEEP:])
        cache = self._workdir / CACHE
        with contextlib.suppress(DataError, OSError):  # a read-only work directory can still be read from
            # Commands that only read hold no lock. Who loses a file to another one here does without the cache.
            remove_leftovers(cache.parent, cache.name)
            write_json(cache, latest)


def check_cache(path: Path) -> None:
    """Hold every entry of a cache against its check.

    Raises:
        DataError: when one is not what was written; it is passed over wherever the cache is used.
    """
    known = read_json(path)
    entries = known.items() if isinstance(known, dict) else [("", None)]
    for key, entry in entries:
        whole = isinstance(entry, list) and len(entry) == 6 and entry[5] == _check(key, entry[:4], entry[4])
        if not whole:
            raise DataError(f"{path} is damaged: an entry is not what was written", "Delete it; it is made anew.")


def _contents(path: Path) -> str:
    from stages.artifacts.lineage import KEY

    check_digest(path)
    return content_fingerprint(path, KEY)


def _check(key: str, state: list[int], digest: Any) -> str:
    """Tells an entry as it was written from one that was damaged since."""
    return hashlib.sha256(json.dumps([key, state, digest]).encode()).hexdigest()[:16]
