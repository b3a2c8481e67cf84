"""One run at a time in a work directory."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import Timeout, UnixFileLock

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
        DataError: when another run holds the lock (naming it), the folder cannot be written or locked, or the disk
            is full.
    """
    path = Path(workdir) / LOCK
    holder = f"`cocorec {command}` (process {os.getpid()})\n".encode()

    def name_holder(descriptor: int) -> None:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, holder, 0)

    # The file is kept, so that two runs never lock two files of one name; without flock there is an error, no lock
    # that a killed process would leave behind.
    lock = UnixFileLock(path, blocking=False, preserve_lock_file=True, fallback_to_soft=False, on_acquired=name_holder)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        found = path.read_bytes()[:500].decode(errors="replace").strip() or "another run"
        raise DataError(
            f"{workdir} is in use by {found}", f"Wait for it to end, or give this run its own {option}."
        ) from None
    except OSError as error:
        advice = "Ask the owner for permission" if isinstance(error, PermissionError) else "Make room"
        raise DataError(
            f"cannot write in {workdir}: {error.filename or path}: {error.strerror}",
            f"{advice}, or choose a folder that can be written with {option}.",
        ) from error
    try:
        clear_leftovers(Path(workdir))
        yield
    finally:
        lock.release()


def clear_leftovers(workdir: Path) -> None:
    """Delete what killed runs left half-written in a work directory; call it only while holding the lock."""
    own = workdir / LOCK_FOLDER
    inside = (path for path in own.rglob("*") if path.is_dir())
    for folder in (workdir, workdir / MODEL_DIR, workdir / CHECKPOINT_DIR, own, *inside):
        remove_leftovers(folder)
