"""Fingerprints of files, remembered beside the artifacts so that an unchanged file is hashed once."""

import contextlib
import json
from pathlib import Path

from stages.artifacts.atomic import missing, write_json
from stages.artifacts.digest import file_state, fingerprint
from stages.artifacts.errors import DataError

CACHE = ".cocorec/fingerprints.json"
_KEEP = 256


class Fingerprints:
    """SHA-256 of files, cached by size, times and inode as version control systems do.

    A disk that loses a bit changes none of these, so whoever reads a file holds it against its own digest as well.

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
        try:
            known = json.loads((self._workdir / CACHE).read_text(encoding="utf-8"))
            self._known = known if isinstance(known, dict) else {}
        except (OSError, ValueError):
            pass  # a cache that is missing or damaged costs time, nothing else

    def of(self, path: Path) -> str:
        """The fingerprint ``"sha256:..."`` of the file at ``path``; hashing also checks the digest that it carries.

        Raises:
            DataError: when the file is missing, cannot be read, or is not what was written.
        """
        path = Path(path).absolute()
        try:
            state: list[object] = list(file_state(path.stat()))
            known = self._known.get(str(path))
            if self._trust_cache and isinstance(known, list) and known[:-1] == state:
                return str(known[-1])
            digest = fingerprint(path)
        except FileNotFoundError:
            raise missing(path) from None
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror or error}") from error
        self._known.pop(str(path), None)
        self._known[str(path)] = [*state, digest]
        self._save()
        return digest

    def _save(self) -> None:
        if not self._keep or not self._workdir.is_dir():
            return
        latest = dict(list(self._known.items())[-_KEEP:])
        with contextlib.suppress(DataError):  # a read-only work directory can still be read from
            write_json(self._workdir / CACHE, latest)
