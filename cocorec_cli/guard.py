"""Tells of too little memory or no thread where the process at work cannot.

Where the system limits either (``ulimit``), libraries end the process in ways that no Python code sees: they abort,
exit with words of their own, take the missing thread for a Ctrl-C, or wait for ever for a thread that never began. So
the work is then done in a child process, and this one, which loads nothing, waits for it and says what became of it.
"""

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from cocorec_cli import limits
from cocorec_cli.errors import BUG, report_error, report_interrupt

LOOK = 0.25
"""Seconds between two looks at the child."""

STUCK = 20.0
"""Seconds after which threads that all wait for each other are not waited for any longer."""

GRACE = 10.0
"""Seconds that the child has to end after an interrupt: a library may keep Python from hearing of it."""

_PR_SET_PDEATHSIG = 1
_PASSED_ON = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT}
_BUSY = 0.05  # of the time of one core: less is what a progress bar takes

_told: int | None = None


def needed() -> bool:
    """Whether the system limits memory or threads."""
    return sys.platform == "linux" and limits.described() is not None


def guarded(run: Callable[[], int]) -> int:
    """Run the program in a child process and return the exit code: its own, or the one of what ended it.

    Args:
        run: the program; it has told its errors when it returns, but for an interrupt, which is told here.

    Raises:
        OSError: when there is no memory or process for a child.
    """
    ours, theirs = os.pipe()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*_PASSED_ON, signal.SIGCHLD, signal.SIGTSTP})
    parent, child = os.getpid(), os.fork()
    if not child:
        os.close(ours)
        _work(run, parent, theirs, before)
    try:
        os.close(theirs)
        with contextlib.suppress(OSError):
            os.setpgid(child, child)  # a terminal's Ctrl-C comes once, from here
        return _wait(child, ours)
    finally:
        os.close(ours)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def tell(code: int) -> None:
    """In the child: let the other process know that this exit code has been explained."""
    if _told is not None:
        os.write(_told, bytes([code]))


def _work(run: Callable[[], int], parent: int, theirs: int, mask: set[int]) -> None:
    """Be the child; does not return."""
    global _told
    _told = theirs
    os.setpgid(0, 0)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(BUG)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    try:
        code = run()
        tell(code)
    except BaseException:  # no memory even to say so
        os._exit(BUG)
    sys.exit(code)


def _wait(child: int, ours: int) -> int:
    asked, since, watch = 0, 0.0, _Watch(child)
    while True:
        info = signal.sigtimedwait({*_PASSED_ON, signal.SIGCHLD, signal.SIGTSTP}, LOOK)
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return _end(os.read(ours, 1), status, asked)
        if info and info.si_signo == signal.SIGTSTP:
            os.killpg(child, signal.SIGSTOP)
            os.kill(os.getpid(), signal.SIGSTOP)
            os.killpg(child, signal.SIGCONT)
            watch = _Watch(child)
        elif info and info.si_signo in _PASSED_ON:
            asked, since = info.si_signo, time.monotonic()
            os.kill(child, asked)
        if watch.is_stuck() or (asked and time.monotonic() - since > GRACE):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return report_interrupt(asked) if asked else _report("waited for a thread that did not come")


def _end(told: bytes, status: int, asked: int) -> int:
    """The exit code of a child that has ended, and what there is to say of it."""
    if told and told[0] in (128 + signal.SIGINT, 128 + signal.SIGTERM):
        # OpenBLAS sends its own process a SIGINT when a thread is missing.
        return report_interrupt(told[0] - 128) if asked else _report("was interrupted for want of a thread")
    if told:
        return told[0]
    code = os.waitstatus_to_exitcode(status)
    if asked:
        return report_interrupt(asked)
    if code == -signal.SIGKILL:  # by the system or by somebody, neither of which says why
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        os.kill(os.getpid(), signal.SIGKILL)
    return _report(f"ended with {signal.Signals(-code).name}" if code < 0 else "ended the command")


def _report(what: str) -> int:
    said = f"a library {what}; {limits.described()}"
    short = limits.memory_limit() is None
    return report_error(RuntimeError(f"can't start new thread: {said}") if short else MemoryError(said))


class _Watch:
    """Notices when all threads of a process wait for each other and none has worked for long.

    Args:
        process: its number.
    """

    def __init__(self, process: int) -> None:
        self._tasks = Path(f"/proc/{process}/task")
        self._since, self._used = time.monotonic(), self._seconds()

    def is_stuck(self) -> bool:
        """Whether it has been so for :data:`STUCK` seconds; to be asked again and again."""
        now, used = time.monotonic(), self._seconds()
        if not self._all_wait() or used - self._used > _BUSY * max(now - self._since, 1.0):
            self._since, self._used = now, used
        return now - self._since > STUCK

    def _all_wait(self) -> bool:
        places = [self._read(task / "wchan") for task in self._threads()]
        return bool(places) and all(place.startswith("futex") for place in places)

    def _seconds(self) -> float:
        ticks = 0
        for task in self._threads():
            fields = self._read(task / "stat").rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:13]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def _threads(self) -> list[Path]:
        try:
            return list(self._tasks.iterdir())
        except OSError:
            return []

    @staticmethod
    def _read(path: Path) -> str:
        try:
            return path.read_text()
        except OSError:  # the thread has ended
            return ""
