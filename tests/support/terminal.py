"""``cocorec`` in a pseudo-terminal of some width, and what it showed there."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
"""Colours and movements."""


def seen(*args: str | Path, cwd: Path, columns: int = 200) -> tuple[int, str]:
    """The exit code of ``cocorec`` and all that its terminal got."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "cocorec_cli", *map(str, args)],
        cwd=cwd,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "TERM": "xterm-256color", "COLUMNS": str(columns)},
    )
    os.close(theirs)
    output, began = b"", time.monotonic()
    while time.monotonic() - began < 120:
        if select.select([ours], [], [], 0.2)[0]:
            try:
                part = os.read(ours, 65_536)
            except OSError:  # the other side is closed
                break
            output += part
        elif process.poll() is not None:
            break
    process.wait(timeout=30)
    os.close(ours)
    return process.returncode, output.decode()


def lines_of(output: str) -> list[str]:
    """The lines that a terminal shows, without colours and blanks at their ends."""
    return [ESCAPES.sub("", line).rstrip() for line in output.replace("\r\n", "\n").split("\n")]
