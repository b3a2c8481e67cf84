"""The three standard streams of the process, which a parent may have closed, filled up or given another encoding."""

import io
import os
import sys
from typing import TextIO

from stages.artifacts.errors import UsageError


def claim_streams() -> None:
    """Make sure that the standard streams can be used, before a file is opened in the place of one.

    Letters that stdout has no way to show are escaped, as stderr does of itself.

    Raises:
        UsageError: when stdout is closed, so that there is nowhere to put results.
    """
    closed = sys.stdout is None
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass  # the lowest that is free: one of the three that is closed
    os.close(descriptor)
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if closed:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        raise UsageError("stdout is closed, and results go there", "Redirect it instead, for example to /dev/null.")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def abandon(stream: TextIO) -> None:
    """Let nothing more be flushed into a stream that takes nothing more."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)
