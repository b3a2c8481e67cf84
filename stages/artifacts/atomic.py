"""Files that appear whole or not at all: written beside their place, synced, renamed."""

import glob
import json
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from stages.artifacts.digest import check_digest, fill_in_digest
from stages.artifacts.errors import AccessError, DataError
from stages.artifacts.json_text import json_text

_TEMPORARY = ".tmp-"
_LOCKED = "--workdir"
"""The option of a folder that a lock guards, see :mod:`stages.artifacts.lock`."""

_OF_THE_SYSTEM = {Path("/dev"), Path("/dev/fd"), Path("/proc/self/fd")}
"""Folders whose entries stand for pipes and devices, also where a file is at the other end."""


@contextmanager
def atomic_path(path: Path, *, option: str = _LOCKED) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; it takes the name of ``path`` when the block ends without an error.

    A file that was given an ``OPEN_DIGEST`` gets its digest on the way.

    Args:
        path: the file to be written.
        option: the option that names its folder, for the hint; what a killed run left of this file in a folder that
            no lock guards is removed.

    Raises:
        DataError: when the folder cannot be written or the disk is full, or something other than a file stands at
            ``path``; it is intact.
    """
    path = Path(path)
    _require_no_device(path, option)
    # A random name opened with O_EXCL cannot be planted as a link by somebody else; the mode follows the umask.
    temporary = path.with_name(temporary_prefix(path.name) + secrets.token_hex(6))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if option != _LOCKED:  # whoever holds the lock of a work directory clears it
            remove_leftovers(path.parent, path.name)
        mode = _create(temporary)
        yield temporary
        if temporary.stat().st_mode != mode:  # safetensors puts a file of its own there, closed to others
            temporary.chmod(mode & 0o7777)
        fill_in_digest(temporary, path.suffix)
        put_in_place(temporary, path)
    except OSError as error:
        raise DataError(
            f"cannot write {path}: {error.strerror or error}",
            f"Make room or choose a folder that can be written with {option}; files already there are untouched.",
        ) from error
    finally:
        with suppress(OSError):  # the first error is the one to tell
            temporary.unlink(missing_ok=True)


def put_in_place(temporary: Path, path: Path) -> None:
    """Give a finished file its name, so that it survives a crash of the machine; both are in the same folder.

    Raises:
        OSError: when the file system refuses.
    """
    _sync(temporary)
    temporary.replace(path)
    _sync(path.parent)


def write_json(path: Path, value: Any, *, option: str = _LOCKED) -> None:
    """Write ``value`` as indented JSON in the order of its keys, whole or not at all; see :func:`atomic_path`."""
    with atomic_path(path, option=option) as temporary:
        temporary.write_text(json_text(value, indent=2) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read a JSON artifact.

    Raises:
        DataError: when it is missing, is not JSON, or not the JSON that was written.
    """
    require_file(path)
    try:
        check_digest(path)
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise missing(path) from None
    except PermissionError as error:
        raise not_permitted(path) from error
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"cannot read {path}: {error}", "Run the stage that writes it again with --force.") from error


def temporary_prefix(name: str) -> str:
    """How the name of a temporary file begins, for :func:`remove_leftovers` to find it."""
    return f".{name}{_TEMPORARY}"


def remove_leftovers(folder: Path, name: str = "*") -> None:
    """Delete temporary files that a killed run left in ``folder``; call it only while nobody else writes there.

    Args:
        folder: where they are.
        name: of the file that they were to become; by default any.
    """
    for path in Path(folder).glob(temporary_prefix(name if name == "*" else glob.escape(name)) + "*"):
        path.unlink(missing_ok=True)


def require_file(path: Path) -> None:
    """Refuse what is no file: a pipe is waited for, and a device never ends.

    Raises:
        DataError: when nothing is there, or something else than a file.
        AccessError: when this user may not read it.
    """
    path = Path(path)
    if path.is_file():
        require_permission(path)
        return
    if not path.exists():
        raise missing(path)
    kind = "a folder" if path.is_dir() else "a pipe or a device"
    raise DataError(f"{path} is {kind}, not a file", "Name a file that holds what is meant.")


def missing(path: Path) -> DataError:
    """The error for an artifact that is not there, naming the stage that makes it."""
    from stages.artifacts.pipeline import stage_of

    stage = stage_of(Path(path))
    hint = f"Run `cocorec {stage}` first, or point --workdir at the folder that has it." if stage else None
    return DataError(f"{path} does not exist", hint)


def not_permitted(path: Path) -> AccessError:
    """The error for a file or folder that this user may not read: permission is lacking, nothing is damaged."""
    is_folder = os.path.isdir(path)  # noqa: PTH112  # Path.is_dir raises where the folder above is closed
    kind, mode = ("folder", "a+rx") if is_folder else ("file", "a+r")
    return AccessError(
        f"cannot read {path}: permission denied",
        f"Ask the owner for permission to read it (`chmod {mode} {path}`); the {kind} itself may be sound.",
    )


def require_permission(path: Path) -> None:
    """Refuse a file that this user may not read, before a library takes that for damage.

    Raises:
        AccessError: naming the file.
    """
    try:
        os.close(os.open(path, os.O_RDONLY))
    except PermissionError as error:
        raise not_permitted(path) from error
    except OSError:
        pass  # whoever reads it finds out and says what is wrong


def _require_no_device(path: Path, option: str) -> None:
    """Refuse to put a file in the place of a folder, a pipe or a device, as renaming onto ``/dev/null`` would.

    Raises:
        DataError: naming what is there.
    """
    try:
        found = path.stat()
    except OSError:
        return  # nothing is there, or whoever writes finds out
    if not stat.S_ISREG(found.st_mode) or path.absolute().parent in _OF_THE_SYSTEM:
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "a pipe or a device"
        raise DataError(f"{path} is {kind}, not a file", f"Name a file to be written with {option}.")


def _create(path: Path) -> int:
    """Create a file that must not be there yet, and tell the mode that the umask gives it."""
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    try:
        return os.fstat(descriptor).st_mode
    finally:
        os.close(descriptor)


def _sync(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
