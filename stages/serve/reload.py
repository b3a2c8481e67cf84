"""Watches the work directory and takes a new model whole; while it is read, the old one answers."""

import contextlib
import gc
import os
import threading
import time
from collections.abc import Callable

from stages.artifacts.errors import CocorecError
from stages.frame.allocator import return_freed_memory
from stages.serve.snapshot import ChangedMeanwhileError, Snapshot, States

_NICE = 10
"""How much the thread that reads a new model stands back behind the one that ranks, in the scheduler's numbers."""


class Reloader:
    """Holds the snapshot that answers, and replaces it.

    Files are read once they have been the same at two looks, since stages write several. A model that cannot be read
    is tried again when a file changes; the old one stays.

    Args:
        first: the snapshot to begin with.
        load: reads another one.
        states: of the files, see :func:`stages.serve.snapshot.file_states`.
        poll_seconds: between two looks.
        say: told of a new model, in one line.
        warn: told of one that could not be read.
        observe: told of each attempt: the new snapshot, or ``None`` where it could not be read.

    Attributes:
        current: the snapshot that answers.
        problem: why the files that are there are not the ones that answer; ``None`` where they are.
        loaded_at: when the current snapshot was taken, in seconds since 1970.
    """

    def __init__(
        self,
        first: Snapshot,
        load: Callable[[], Snapshot],
        states: Callable[[], States],
        *,
        poll_seconds: float,
        say: Callable[[str], None],
        warn: Callable[[str], None],
        observe: Callable[[Snapshot | None], None] = lambda found: None,
    ) -> None:
        self.current = first
        self.problem: str | None = None
        self.loaded_at = time.time()
        self._load, self._states, self._say, self._warn, self._observe = load, states, say, warn, observe
        self._poll_seconds = poll_seconds
        self._settled: States = first.files
        self._before: States = first.files
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reload", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def close(self) -> None:
        """End watching; a model that is being read is left behind."""
        self._end.set()

    def look(self) -> None:
        """Look at the files once, and read them where they are others, and settled."""
        now = self._states()
        settled, self._before = now == self._before, now
        if now == self._settled or not settled:
            return
        began = time.monotonic()
        try:
            found = self._load()
        except ChangedMeanwhileError as error:
            self._fail(error)
            return  # looked at again when they have settled
        except CocorecError as error:
            self._settled = now
            self._fail(error)
            return
        except Exception as error:  # too little memory, say: no reason to stop answering
            self._settled = now
            self._fail(error)
            return
        self._settled = found.files
        self.problem = None
        if found.version != self.current.version:
            self.current, self.loaded_at = found, time.time()
            self._say(f"model {found.version} answers from now on, read in {time.monotonic() - began:.1f} s")
        self._observe(found)
        del found
        gc.collect()
        return_freed_memory()

    def _fail(self, error: Exception) -> None:
        told = f"{error.message} {error.hint or ''}" if isinstance(error, CocorecError) else repr(error)
        self.problem = told.strip()
        self._warn(f"the files in the work directory cannot be served, model {self.current.version} stays: {told}")
        self._observe(None)

    def _run(self) -> None:
        with contextlib.suppress(AttributeError, OSError):  # of this thread alone, and of those that it starts; Linux
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        while not self._end.wait(self._poll_seconds):
            self.look()
