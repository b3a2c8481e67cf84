"""Progress and messages on stderr: progress bars for a person at a terminal, plain lines for a log file.

What is shown may come from data, servers or file names: whatever goes to a terminal or log passes :func:`printable`.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cocorec_cli.envelope import envelope
from cocorec_cli.streams import abandon
from stages.frame.reporter import Reporter

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

LOG_INTERVAL = 10.0
"""Seconds between two lines about the same work when stderr is not a terminal."""


class ConsoleReporter(Reporter):
    """Reports to stderr.

    Args:
        quiet: say nothing but warnings.
        lines: write lines about progress where stderr is not a terminal.
        brief: leave out what only those want to know who watch one stage.
    """

    def __init__(self, *, quiet: bool = False, lines: bool = True, brief: bool = False) -> None:
        self._quiet, self._show_lines, self._brief = quiet, lines, brief
        self._progress: Progress | None = None
        self._tracked = 0
        self.warned: list[str] = []

    def info(self, message: str) -> None:
        """Say something the user may want to know."""
        if not self._quiet and not self._brief:
            self._say(message)

    def announce(self, message: str) -> None:
        """Say why nothing will happen for a while, or how long work will take."""
        if not self._quiet:
            self._say(message)

    def warn(self, message: str) -> None:
        """Say something the user should act on."""
        self.warned.append(message)
        envelope().warnings.append(message)
        self._say(message, "warning: ", "yellow")

    @contextmanager
    def track(self, label: str, total: int | None = None, unit: str = "") -> Iterator[Callable[[int], None]]:
        """Follow long work; yields a function to be called with how many more units are done."""
        if self._quiet:
            yield lambda done: None
        elif sys.stderr.isatty():
            with self._bars() as progress:
                shown = printable(label, lines=False)
                task = progress.add_task(shown, total=total, of=(f"/{total:,}" if total else "") + f" {unit}")
                try:
                    yield lambda done: progress.advance(task, done)
                finally:
                    progress.stop_task(task)
        elif not self._show_lines:
            yield lambda done: None
        else:
            lines = _Lines(label, total, unit)
            yield lines.advance
            lines.end()

    @contextmanager
    def _bars(self) -> Iterator["Progress"]:
        """The progress bars on screen; those of nested work stand below each other."""
        if self._progress is None:
            self._progress = _make_progress(stderr_console(), transient=self._brief)
        self._tracked += 1
        if self._tracked == 1:
            self._progress.start()
        try:
            yield self._progress
        finally:
            self._tracked -= 1
            if self._tracked == 0:
                self._progress.stop()
                self._progress = None

    def _say(self, message: str, prefix: str = "", style: str = "") -> None:
        if self._progress is not None:
            from rich.text import Text

            self._progress.console.print(Text.assemble((prefix, style), printable(message)), soft_wrap=True)
        else:
            say(message, prefix, style)


def printable(text: str, *, lines: bool = True) -> str:
    r"""A text with escapes such as ``\x1b`` for what a terminal would obey instead of showing it.

    That is all that is no letter, mark, digit, sign or blank: control characters, directions of writing, bytes that
    are no UTF-8.

    Args:
        text: of any origin.
        lines: whether it may go over several lines.
    """
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() or (lines and one == "\n") else one.encode("unicode_escape").decode() for one in text
    )


def say(message: str, prefix: str = "", style: str = "") -> None:
    """Print a line to stderr, its prefix coloured where a terminal shows colours."""
    message = printable(message)
    try:
        if sys.stderr.isatty():
            from rich.text import Text

            stderr_console().print(Text.assemble((prefix, style), message), soft_wrap=True)
        else:
            print(f"{prefix}{message}", file=sys.stderr, flush=True)
    except OSError:  # a full disk, a reader that has gone: no reason to end the work, and nobody to tell
        abandon(sys.stderr)


def warn(message: str) -> None:
    """Print a warning to stderr, and keep it for ``--json``."""
    envelope().warnings.append(message)
    say(message, "warning: ", "yellow")


def stderr_console() -> "Console":
    """A rich console on stderr; respects ``NO_COLOR``."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def _make_progress(console: "Console", *, transient: bool) -> "Progress":
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.completed:,.0f}{task.fields[of]}", markup=False),
        TimeElapsedColumn(),
        TimeRemainingColumn(compact=True),
        console=console,
        transient=transient,
        # Results go to stdout; rich must not take it over.
        redirect_stdout=False,
    )


class _Lines:
    """Progress as lines of a log, one every :data:`LOG_INTERVAL` seconds."""

    def __init__(self, label: str, total: int | None, unit: str) -> None:
        self._label, self._total, self._unit = label, total, unit
        self._done = 0
        self._started = self._spoken = time.monotonic()
        self._lines = 0

    def advance(self, done: int) -> None:
        """Count units; speak when it is time."""
        self._done += done
        now = time.monotonic()
        if now - self._spoken >= LOG_INTERVAL:
            self._spoken = now
            self._lines += 1
            elapsed = now - self._started
            share, left = "", ""
            if self._total:
                share = f" ({self._done / self._total:.0%})"
                if 0 < self._done < self._total:
                    left = f", about {elapsed / self._done * (self._total - self._done):.0f} s left"
            total = f"/{self._total:,}" if self._total else ""
            say(f"{self._label}: {self._done:,}{total} {self._unit}".rstrip() + f"{share}, {elapsed:.0f} s{left}")

    def end(self) -> None:
        """Say that the work is done, if anything was said about it."""
        if self._lines:
            elapsed = time.monotonic() - self._started
            say(f"{self._label}: done, {self._done:,} {self._unit}".rstrip() + f" in {elapsed:.0f} s")
