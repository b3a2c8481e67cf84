"""Runs a command of cocorec in a process of its own and tells what it cost."""

import json
import os
import resource
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

Watch = Callable[[str, int], None]


@dataclass(frozen=True)
class Outcome:
    """How a command ended.

    Attributes:
        code: its exit code.
        cpu_seconds: user and system time of the process and its children.
        wall_seconds: by the clock.
        skipped: all was up to date.
        errors: the last lines on its standard error.
    """

    code: int
    cpu_seconds: float
    wall_seconds: float
    skipped: bool
    errors: str


class StoppedError(BaseException):
    """The runner was asked to stop; the command has been ended."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__("stopped")
        self.outcome = outcome


def run(arguments: Sequence[str], log: Path, watch: Watch | None = None) -> Outcome:
    """Run ``cocorec`` with these arguments and one thread, and wait for it.

    Args:
        arguments: without ``--json``, which is added.
        log: where its standard error goes, after what earlier attempts said.
        watch: called with each of these lines and the id of the process.

    Raises:
        StoppedError: on an interrupt, once the command has ended.
    """
    # Children are run one by one, so the difference is what this one cost.
    before, began = children_seconds(), time.perf_counter()
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "cocorec_cli", *arguments, "--json"]
    last: deque[str] = deque(maxlen=5)
    with log.open("a", encoding="utf-8") as file, log.with_suffix(".json").open("w+", encoding="utf-8") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=subprocess.PIPE, text=True, errors="replace", env=environment
        )
        assert process.stderr is not None

        def follow(lines: IO[str]) -> None:
            for line in lines:
                file.write(line)
                file.flush()
                last.append(line)
                if watch is not None:
                    watch(line, process.pid)

        try:
            follow(process.stderr)
            code, stopped = process.wait(), False
        except (KeyboardInterrupt, SystemExit):
            process.terminate()
            follow(process.stderr)
            code, stopped = process.wait(), True
        except BaseException:
            process.kill()
            process.wait()
            raise
        out.seek(0)
        skipped = code == 0 and bool((json.load(out)["result"] or {}).get("skipped"))
    cost = children_seconds() - before
    outcome = Outcome(code, round(cost, 2), round(time.perf_counter() - began, 2), skipped, "".join(last))
    if stopped:
        raise StoppedError(outcome)
    return outcome


def children_seconds() -> float:
    """User and system time of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
