"""How the C library treats freed memory, which decides the speed of large short-lived arrays on CPU."""

import contextlib
import ctypes
import functools
import sys

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # names of mallopt's parameters in malloc.h


def keep_freed_memory() -> None:
    """Tell glibc to keep freed memory instead of returning it page by page.

    Large tensors otherwise fault their pages in at every operation, which more than doubles the time of a step on
    CPU. Call :func:`return_freed_memory` now and then, since the kept memory fragments. Does nothing where the C
    library has no ``mallopt``.
    """
    library = _glibc()
    if library is not None:
        library.mallopt(_MMAP_MAX, 0)
        library.mallopt(_TRIM_THRESHOLD, 2**31 - 1)


def return_freed_memory() -> None:
    """Give the free pages that have gathered since back to the system, so that memory stays flat over a long run."""
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)


@functools.cache
def _glibc() -> ctypes.CDLL | None:
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError, AttributeError):
            library = ctypes.CDLL("libc.so.6")
            if library.mallopt and library.malloc_trim:
                return library
    return None
