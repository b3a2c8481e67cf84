"""Files that appear whole or not at all: written beside their place, synced, renamed."""

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from stages.artifacts.errors import DataError

_TEMPORARY = ".tmp-"


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; it takes the name of ``path`` when the block ends without an error.

    Raises:
        DataError: when the folder cannot be written or the disk is full; what stood at ``path`` is intact.
    """
    path = Path(path)
    # A random name opened with O_EXCL cannot be planted as a link by somebody else; the mode follows the umask.
    temporary = path.with_name(f".{path.name}{_TEMPORARY}{secrets.token_hex(6)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        yield temporary
        descriptor = os.open(temporary, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise DataError(
            f"cannot write {path}: {error.strerror or error}",
            "Make room or choose a folder that can be written with --workdir; files already there are untouched.",
        ) from error
    finally:
        with suppress(OSError):  # the first error is the one to tell
            temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON in the order of its keys, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, default=dict, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read a JSON artifact.

    Raises:
        DataError: when it is missing or is not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise missing(path) from None
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {path}: {error}", "Run the stage that writes it again with --force.") from error


def remove_leftovers(folder: Path) -> None:
    """Delete temporary files that a killed run left in ``folder``; call it only while holding the lock."""
    for path in Path(folder).glob(f".*{_TEMPORARY}*"):
        path.unlink(missing_ok=True)


def missing(path: Path) -> DataError:
    """The error for an artifact that is not there, naming the stage that makes it."""
    from stages.artifacts.pipeline import stage_of

    stage = stage_of(Path(path))
    remedy = f"Run `cocorec {stage}` first, or point --workdir at the folder that has it." if stage else None
    return DataError(f"{path} does not exist", remedy)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
