"""One run at a time in a work directory."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stages.artifacts.atomic import remove_leftovers
from stages.artifacts.errors import DataError
from stages.artifacts.names import CHECKPOINT_DIR, MODEL_DIR

LOCK_FOLDER = ".cocorec"
LOCK = f"{LOCK_FOLDER}/lock"


@contextmanager
def locked(workdir: Path, command: str, *, option: str = "--workdir") -> Iterator[None]:
    """Hold the work directory's lock; the system drops it when the process ends, however it ends.

    Args:
        workdir: the work directory, made when missing.
        command: what is being run, told to whoever finds the lock taken.
        option: the option that names the folder, for the hints.

    Raises:
        DataError: when another run holds the lock (naming it), the folder cannot be written, or the disk is full.
    """
    path = Path(workdir) / LOCK
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise _cannot_write(workdir, option, error) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 500).decode(errors="replace").strip() or "another run"
            raise DataError(
                f"{workdir} is in use by {holder}", f"Wait for it to end, or give this run its own {option}."
            ) from None
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"`cocorec {command}` (process {os.getpid()})\n".encode(), 0)
        except OSError as error:
            raise _cannot_write(workdir, option, error) from error
        clear_leftovers(Path(workdir))
        yield
    finally:
        os.close(descriptor)


def clear_leftovers(workdir: Path) -> None:
    """Delete what killed runs left half-written in a work directory; call it only while holding the lock."""
    own = workdir / LOCK_FOLDER
    inside = (path for path in own.rglob("*") if path.is_dir())
    for folder in (workdir, workdir / MODEL_DIR, workdir / CHECKPOINT_DIR, own, *inside):
        remove_leftovers(folder)


def _cannot_write(workdir: Path, option: str, error: OSError) -> DataError:
    return DataError(
        f"cannot write in {workdir}: {error.strerror}",
        f"Make room, or choose a folder that can be written with {option}.",
    )
