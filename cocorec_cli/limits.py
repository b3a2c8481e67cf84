"""What the system lets this process have: its limits of memory and of threads, as ``ulimit`` sets them."""

import contextlib
import os
import resource
from pathlib import Path

_FEW = 4_096
"""So many processes a desktop may allow its user; who sets less means to limit something."""

_LARGEST_LIBRARY = 1 << 30
"""No library at work here takes more room at once when it is loaded (torch, on CPU)."""


def memory_limit() -> int | None:
    """Bytes of address space or data that this process may take; ``None`` where nothing limits them."""
    found = [resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA)]
    return min((limit for limit in found if limit != resource.RLIM_INFINITY), default=None)


def thread_limit() -> int | None:
    """Threads that this user may have, where they are limited to few; ``None`` elsewhere and for root."""
    limit = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    return limit if os.geteuid() and limit != resource.RLIM_INFINITY and limit <= _FEW else None


def described() -> str | None:
    """The limits in words; ``None`` where there is none."""
    told = []
    if (memory := memory_limit()) is not None:
        told.append(f"memory is limited to {memory >> 20:,} MiB (`ulimit -v`, `ulimit -d`)")
    if (threads := thread_limit()) is not None:
        told.append(f"threads are limited to {threads:,} (`ulimit -u`)")
    return " and ".join(told) or None


def nearly_out_of_memory() -> bool:
    """Whether a limit leaves less room than a library may want: then an error of any kind can come of it.

    What is short of memory while it is imported or unwound is seldom told by the error that comes out.
    """
    if (limit := memory_limit()) is None:
        return False
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        taken = int(next(line for line in lines if line.startswith("VmSize:")).split()[1]) << 10
        return limit - taken < _LARGEST_LIBRARY
    return True
