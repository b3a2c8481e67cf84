"""Ends a worker of a Ray cluster in the midst of its work."""

import signal
import time

import psutil


def kill_worker(doing: str, within: float = 30.0) -> int:
    """Kill a worker process that does a task of this name, as soon as there is one; its process id.

    A worker calls its process ``ray::NAME`` while it works.
    """
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        for process in psutil.Process().children(recursive=True):
            try:
                if process.cmdline()[:1] and process.cmdline()[0].startswith(f"ray::{doing}"):
                    process.send_signal(signal.SIGKILL)
                    return process.pid
            except (psutil.NoSuchProcess, psutil.ZombieProcess, IndexError):
                continue
        time.sleep(0.005)
    raise AssertionError(f"no worker did {doing}")
