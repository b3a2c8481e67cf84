"""The memory of a command: measured for its report, and kept below a limit.

No library at work here can be told to hold less than it needs, and a limit of the operating system would end the
process without a word. So a thread looks at what the process holds and ends it in good order before it holds too much.
What is held comes from psutil; the peak is read by hand, because psutil cannot tell or reset it on Linux.
"""

import contextlib
import ctypes
import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cocorec_cli.console import say
from cocorec_cli.guard import tell
from stages.artifacts.errors import UsageError

OUT_OF_MEMORY = 1
"""Exit code, as when the system has no memory left."""

INTERVAL = 0.02
"""Seconds between two looks."""

_UNITS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}
_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[KMGT]?)(?P<binary>i?)B?", re.IGNORECASE)


_LARGEST = 1 << 60

_LOOK_FOR_CHILDREN = 0.5
"""Seconds between two looks for processes that this one has started."""

_LESS_TEXT = "fewer text views with --views, for embed fewer --batch-tokens"
_LESS = {
    "train": "a smaller --batch-size, --negatives, a shorter --max-history, fewer --processes",
    "embed": f"{_LESS_TEXT}, fewer --processes",
}


def read_size(text: str) -> int:
    """Read a size such as ``2GiB``, ``1.5G`` (both binary) or ``500MB`` (decimal) as bytes.

    Raises:
        ValueError: when it is none.
    """
    text = text.strip()
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a size such as 2GiB or 500MB")
    decimal = text.upper().endswith("B") and match["unit"] and not match["binary"]
    size = float(match["number"]) * (1000 if decimal else 1024) ** _UNITS[match["unit"].upper()]
    if size < 1:
        raise ValueError(f"{text!r} leaves no memory")
    if size > _LARGEST:
        raise ValueError(f"{text!r} is more than any machine has")
    return int(size)


def held() -> int:
    """Bytes of memory that only this process keeps from others; pages of mapped files are not among them.

    Raises:
        UsageError: when psutil is not installed.
    """
    try:
        import psutil
    except ImportError as error:
        raise UsageError("--memory-limit needs psutil, which is not installed", "pip install psutil") from error
    return _own(psutil.Process())


def _own(process: Any) -> int:
    memory = process.memory_info()
    return int(memory.rss - getattr(memory, "shared", 0))  # which macOS does not tell


class Family:
    """This process and those that it has started, which are looked for now and then."""

    def __init__(self) -> None:
        import psutil

        self._gone = psutil.NoSuchProcess
        self._process = psutil.Process()
        self._children: list[Any] = []
        self._looked = -_LOOK_FOR_CHILDREN

    def held(self) -> int:
        """Bytes of memory that they keep from others, see :func:`held`."""
        if time.monotonic() - self._looked > _LOOK_FOR_CHILDREN:
            self._looked = time.monotonic()
            self._children = self._process.children(recursive=True)
        total = held()
        for child in self._children:
            with contextlib.suppress(self._gone):
                total += _own(child)
        return total

    def end(self) -> None:
        """End those that this process has started."""
        for child in self._process.children(recursive=True):
            with contextlib.suppress(self._gone):
                child.kill()


_children_before = 0.0


def reset_peak() -> None:
    """Let :func:`peak_mib` count from now on, where the system allows it."""
    global _children_before
    _children_before = _peak_mib_of(children=True)
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_mib() -> float:
    """The most memory that this process, or one that it started, has held at once, mapped files included, in MiB."""
    children = _peak_mib_of(children=True)  # of those that have ended; it never falls
    return max(_own_peak_mib(), children if children > _children_before else 0.0)


def _own_peak_mib() -> float:
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) / 1024
    return _peak_mib_of(children=False)


def _peak_mib_of(*, children: bool) -> float:
    try:
        import resource
    except ImportError:  # on Windows
        return 0.0
    unit = 2**20 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_CHILDREN if children else resource.RUSAGE_SELF).ru_maxrss / unit


@contextmanager
def limited(limit: int | None, workdir: Path, command: str) -> Iterator[None]:
    """End the process with :data:`OUT_OF_MEMORY` when it holds more than ``limit`` bytes inside the block.

    What is in the work directory then is as after an interrupt: artifacts are whole, finished work is kept, temporary
    files are gone. Between two looks, and while a library keeps Python from running, it can hold more for a moment.

    Args:
        limit: bytes, see :func:`held`; ``None`` for no limit.
        workdir: the work directory, whose lock is held.
        command: what is running, for the message.

    Raises:
        UsageError: when psutil is not installed.
    """
    if limit is None:
        yield
        return
    held()  # what is missing is told here, not in the thread
    ended = threading.Event()
    watch = threading.Thread(target=_watch, args=(limit, workdir, command, ended), daemon=True)
    watch.start()
    try:
        yield
    finally:
        ended.set()
        watch.join()


def _watch(limit: int, workdir: Path, command: str, ended: threading.Event) -> None:
    family = Family()
    while not ended.wait(INTERVAL):
        if family.held() > limit:
            _return_unused()
            if (found := family.held()) > limit:
                family.end()
                _end(limit, found, workdir, command)


def _return_unused() -> None:
    """Give back what allocators keep for later."""
    with contextlib.suppress(OSError, AttributeError):  # another C library than glibc has no such function
        ctypes.CDLL(None).malloc_trim(0)
    if arrow := sys.modules.get("pyarrow"):
        arrow.default_memory_pool().release_unused()


def _end(limit: int, found: int, workdir: Path, command: str) -> None:
    from stages.artifacts.lock import clear_leftovers

    if sys.stderr.isatty():
        print("\x1b[?25h", file=sys.stderr)  # a progress bar hides the cursor
    say(f"{command} holds {_shown(found)}, more than --memory-limit {_shown(limit)}", "error: ")
    say(f"Raise the limit, or take less at once: {_LESS.get(command, _LESS_TEXT)}. Finished work is kept.", "hint: ")
    with contextlib.suppress(OSError):
        clear_leftovers(workdir)
    # Not an exception: the main thread may be inside a library for minutes, and would hold ever more.
    tell(OUT_OF_MEMORY)
    os._exit(OUT_OF_MEMORY)


def _shown(size: int) -> str:
    return f"{size:,} bytes" if size < 2**20 else f"{size / 2**20:,.0f} MiB"
