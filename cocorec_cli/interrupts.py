"""Ctrl-C and SIGTERM end a run in good order: both unwind it, so that locks and temporary files are given up."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_AGAIN = 0.05  # seconds


@contextmanager
def interrupts() -> Iterator[list[int]]:
    """Raise ``KeyboardInterrupt`` in the main thread for SIGINT and SIGTERM alike.

    Where Python can only drop an exception, in a ``__del__`` or in some calls made by a library, it is raised once more
    a moment later. In a thread other than the main one nothing is changed.

    Yields:
        The signals received so far. Once there is one, whatever error comes out of the program is its consequence:
        libraries turn an exception that passes through them into one of their own.
    """
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        received.append(number)
        raise KeyboardInterrupt

    def dropped(what: "sys.UnraisableHookArgs") -> None:
        if not (received and issubclass(what.exc_type, KeyboardInterrupt)):
            unraisable(what)
            return
        timer = threading.Timer(_AGAIN, os.kill, (os.getpid(), received[0]))
        timer.daemon = True
        timers.append(timer)
        timer.start()

    timers: list[threading.Timer] = []
    numbers = [signal.SIGTERM]
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # shells ignore it for jobs in the background
        numbers.append(signal.SIGINT)
    handlers = {number: signal.signal(number, interrupt) for number in numbers}
    unraisable, sys.unraisablehook = sys.unraisablehook, dropped
    try:
        yield received
    finally:
        sys.unraisablehook = unraisable
        for timer in timers:
            timer.cancel()
        for number, handler in handlers.items():
            signal.signal(number, handler)
