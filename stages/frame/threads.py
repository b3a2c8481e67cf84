"""How many CPU threads the libraries of a stage compute with."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_allowed: ContextVar[int | None] = ContextVar("threads", default=None)

_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Read once by each library of OpenMP or BLAS, when it is loaded."""


@contextmanager
def threads(count: int | None) -> Iterator[None]:
    """Let OpenMP and BLAS (numpy, faiss, torch) and Arrow compute with ``count`` threads inside the block.

    It holds for what is loaded already and for what is loaded inside the block. Afterwards all is as it was, but for a
    BLAS that was loaded inside. Polars has a pool of its own, whose size is fixed when it is imported: set
    ``POLARS_MAX_THREADS`` before that, as the command line does for ``--threads``.

    Args:
        count: threads, at least 1; ``None`` changes nothing.
    """
    if count is None or count == _allowed.get():
        yield
        return
    from threadpoolctl import threadpool_limits

    outside = _allowed.set(count)
    try:
        with _torch(count), _environment(count), threadpool_limits(count), _arrow(count):
            yield
    finally:
        _allowed.reset(outside)


def available() -> int:
    """Threads to start for own work: those of the :func:`threads` around it, else the cores of this process."""
    return _allowed.get() or _cores()


def busy_note(count: int | None) -> str | None:
    """What to say where all cores are about to be used though others use them, too; ``None`` where all is well.

    Threads that wait for each other spin meanwhile: with less than a core for each, more of them take longer.

    Args:
        count: the threads that were asked for, if any were.
    """
    cores = _cores()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    free = max(1, cores - round(load))
    if count is not None or _default() < cores or free == cores or cores == 1:
        return None
    return f"other work takes part of the {cores} cores (load {load:.1f}): --threads {free} may be faster"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _environment(count: int) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in _VARIABLES}
    os.environ.update(dict.fromkeys(_VARIABLES, str(count)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _torch(count: int) -> Iterator[None]:
    """What torch keeps beside OpenMP; it is not loaded for this."""
    before = None
    if torch := sys.modules.get("torch"):
        before = torch.get_num_threads()
        torch.set_num_threads(count)
    try:
        yield
    finally:
        if torch := sys.modules.get("torch"):
            torch.set_num_threads(before or _default())


@contextmanager
def _arrow(count: int) -> Iterator[None]:
    if arrow := sys.modules.get("pyarrow"):
        before = arrow.cpu_count()
        arrow.set_cpu_count(count)
    try:
        yield
    finally:
        if arrow:
            arrow.set_cpu_count(before)


def _default() -> int:
    """Threads that a library takes which is loaded now."""
    asked = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    return int(asked) if asked.isdigit() and int(asked) else _cores()
