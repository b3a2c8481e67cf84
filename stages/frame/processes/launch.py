"""Runs a stage in several processes of this machine, and is to the caller as if this one did the work."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, TextIO

from stages.artifacts import errors
from stages.artifacts.errors import CocorecError, ProcessError, UsageError
from stages.frame.options import Options
from stages.frame.processes.relay import Event, Replay, read_event
from stages.frame.processes.task import Task
from stages.frame.reporter import Reporter
from stages.frame.result import Result
from stages.frame.threads import available

_LAUNCHER = "stages.frame.processes.launcher"
_GOES_ON = "The same command goes on from the work that is finished"
_ANY_COUNT = ", also with another number of --processes"

_LONGEST = 100_000
"""Bytes of a task; the system lets a program be told 128 KiB in one argument."""

_GRACE = 10.0
"""Seconds that the processes have to end when they are told to."""

_TAIL = 15
"""Lines of what libraries printed that are shown where nothing else tells why a process ended."""

_FROM_OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Signals that end a process which has nothing to say about it."""


def launch(
    stage: str,
    options: Options,
    *,
    workdir: Path,
    force: bool,
    reporter: Reporter,
    count: int,
    handed: Mapping[str, Any] | None = None,
    stdout: TextIO | None = None,
    any_count: bool = True,
) -> Result:
    """Run a stage in several processes, whose first one reports here and gives the result.

    Args:
        stage: where it is found, such as ``stages.train:train``.
        options: of the stage; the threads of this process are shared out where they say nothing of threads.
        workdir: the work directory.
        force: run even if the results are up to date.
        reporter: hears what the first process reports; what it raises ends the processes.
        count: how many.
        handed: further arguments of the stage, JSON values by name.
        stdout: where goes what the stage in the first process prints into the ``stdout`` that it is handed.
        any_count: another number of processes goes on with the work as well, which hints say.

    Raises:
        UsageError: for options that are too long to be handed on.
        ProcessError: when one ends otherwise than it should, or does not answer.
        CocorecError: what one of them raised.
    """
    text = Task(stage, options, workdir, force, count, handed or {}, prints=stdout is not None).to_text()
    if len(text.encode()) > _LONGEST:
        raise UsageError(
            "the options are too long to be handed to several processes",
            "Put long lists into a file, such as the ids of --users.",
        )
    command = [sys.executable, "-P", "-m", _LAUNCHER, text, str(os.getpid())]
    ending = Ending(count, any_count=any_count)
    with (
        tempfile.TemporaryFile() as printed,
        _ended_with_this(command, _environment(options, count), printed) as process,
        closing(Replay(reporter)) as replay,
    ):
        assert process.stdout
        for line in process.stdout:
            event = read_event(line)
            ending.hear(event)
            replay.hear(event)
            if stdout is not None and "printed" in event:
                stdout.write(event["printed"])
        process.wait()
        return ending.result(_tail(printed), process.returncode)


class Ending:
    """How the processes ended.

    Args:
        count: how many there are.
        any_count: see :func:`launch`.
    """

    def __init__(self, count: int, *, any_count: bool = True) -> None:
        self._count = count
        self._again = f"{_GOES_ON}{_ANY_COUNT if any_count else ''}."
        self._result: Any = None
        self._told: dict[int, Event] = {}
        self._ended: dict[int, int] = {}

    def hear(self, event: Event) -> None:
        """Take an event that tells of an end."""
        if "result" in event:
            self._result = event["result"]
        elif "error" in event or "bug" in event:
            self._told[int(event["rank"])] = event
        elif "ended" in event:
            self._ended = {int(rank): int(code) for rank, code in event["ended"].items()}

    def result(self, printed: str, launcher: int = 0) -> Result:
        """The result of the stage.

        Args:
            printed: what else is known of why a process ended.
            launcher: exit code of the program that started them.

        Raises:
            ProcessError: naming the process that ended otherwise than it should.
            CocorecError: what one of them raised.
        """
        if self._result is not None and not self._ended:
            read = self._result
            result = Result(**{**read, "outputs": {name: Path(path) for name, path in read["outputs"].items()}})
            return replace(result, warnings=tuple(result.warnings))
        # One that lost the others is no cause, but a consequence.
        causes = [event for event in self._told.values() if event.get("error") != ProcessError.__name__]
        silent = [rank for rank in self._ended if rank not in self._told]
        if causes:
            raise self._error(causes[0])
        if silent:
            code = self._ended[silent[0]]
            why = "" if -code in _FROM_OUTSIDE else printed
            raise ProcessError(f"process {silent[0]} of {self._count} {_how(code)}{why}", self._hint(code))
        if self._told:
            raise self._error(next(iter(self._told.values())))
        if launcher < 0:
            raise ProcessError(
                f"the program that watches over the {self._count} processes {_how(launcher)}", self._hint(launcher)
            )
        raise ProcessError(f"the {self._count} processes could not be started{printed}")

    def _hint(self, code: int) -> str:
        killed = code == -signal.SIGKILL
        return f"{self._again} The system ends processes so where memory is short." if killed else self._again

    def _error(self, event: Event) -> Exception:
        if "error" in event:
            kind: type[CocorecError] = getattr(errors, event["error"])
            return kind(event["message"], event["hint"])
        if event["bug"] == MemoryError.__name__:
            return MemoryError(event["message"])
        error = RuntimeError(f"process {event['rank']} of {self._count}: {event['bug']}: {event['message']}")
        error.__cause__ = _RemoteError(event["trace"])
        return error


class _RemoteError(Exception):
    """Shows the traceback of another process above that of this one."""

    def __init__(self, trace: str) -> None:
        super().__init__()
        self._trace = trace

    def __str__(self) -> str:
        return f"\n{self._trace}"


@contextlib.contextmanager
def _ended_with_this(
    command: list[str], environment: dict[str, str], printed: IO[bytes]
) -> Iterator["subprocess.Popen[bytes]"]:
    """A program whose processes end when the block is left, in a session of its own: Ctrl-C comes from here."""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=printed,
        env=environment,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(_GRACE)
                except subprocess.TimeoutExpired:
                    process.kill()


def _environment(options: Options, count: int) -> dict[str, str]:
    found = dict(os.environ)
    root = str(Path(__file__).resolve().parents[3])  # of the packages as they are here
    found["PYTHONPATH"] = os.pathsep.join([root, *filter(None, [found.get("PYTHONPATH")])])
    threads = getattr(options, "threads", None)
    share = threads or max(1, available() // count)
    found.setdefault("RAYON_NUM_THREADS", str(share))  # of tokenizers
    if threads is None:
        found.setdefault("OMP_NUM_THREADS", str(share))
    if sys.platform.startswith("linux"):
        found.setdefault("GLOO_SOCKET_IFNAME", "lo")  # they are all on this machine
    return found


def _how(code: int) -> str:
    if code < 0:
        try:
            return f"was ended by {signal.Signals(-code).name}"
        except ValueError:
            return f"was ended by signal {-code}"
    return f"ended with exit code {code}"


def _tail(printed: IO[bytes]) -> str:
    printed.seek(0)
    lines = printed.read().decode(errors="replace").splitlines()[-_TAIL:]
    return "".join(f"\n  {line}" for line in lines)
