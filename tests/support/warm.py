"""Runs ``cocorec`` in processes that can be killed, starved of disk or interrupted at a chosen moment.

A server process has the heavy libraries imported and forks a fresh process for each command, so that the moments lie in
the work of a stage and not in imports that take longer than it.
"""

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PTRACER, _PR_SET_PTRACER_ANY = 0x59616D61, -1

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        code: exit code, or minus the signal that killed it.
        out: its stdout.
        err: its stderr.
        seconds: how long it ran.
    """

    code: int
    out: str
    err: str
    seconds: float


class WarmCli:
    """``cocorec`` in forks of a process that has everything imported; made by :func:`warm_cli`."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def __call__(
        self,
        *args: str | Path,
        cwd: Path,
        send: int = signal.SIGKILL,
        after: float | None = None,
        appears: str | None = None,
        file_size: int | None = None,
        user: int | None = None,
        processes: int | None = None,
        strace: Sequence[str] = (),
        unprivileged: bool = False,
    ) -> Ended:
        """Run a command in the folder ``cwd``.

        Args:
            args: its arguments.
            cwd: the folder.
            send: a signal.
            after: seconds after which it is sent, unless the command has ended before; ``None`` for never.
            appears: a pattern; the signal is sent as soon as a file below ``cwd`` matches.
            file_size: bytes beyond which no file can grow, as on a disk that is full.
            user: number of the user as whom it is run; ``None`` for this one.
            processes: that the user may have, threads included; root is not held to it.
            strace: arguments of an ``strace`` that watches the command; none for no such watch.
            unprivileged: without root's right to read and write what is closed to it; others never have it.
        """
        request: dict[str, object] = {
            "args": [str(arg) for arg in args],
            "cwd": str(cwd),
            "send": int(send),
            "after": after,
        }
        assert self._process.stdin and self._process.stdout
        request |= {"appears": appears, "file_size": file_size, "strace": list(strace)}
        request |= {"user": user, "processes": processes, "unprivileged": unprivileged}
        print(json.dumps(request), file=self._process.stdin, flush=True)
        return Ended(**json.loads(self._process.stdout.readline()))


@contextmanager
def warm_cli() -> Iterator[WarmCli]:
    """Start the server, and end it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COCOREC_")}
    # Threads do not survive a fork, and equal bytes are promised for equal numbers of them.
    environment |= {
        "PYTHONPATH": str(REPOSITORY),
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "no_proxy": "127.0.0.1",
    }
    process = subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdin and process.stdout
    try:
        assert process.stdout.readline() == "ready\n"
        yield WarmCli(process)
    finally:
        process.stdin.close()
        process.wait(timeout=60)


def _serve() -> None:
    import faiss
    import polars
    import pyarrow.parquet
    import sentence_transformers
    import torch
    import torch._dynamo  # which the first step of an optimizer would import

    del faiss, polars, pyarrow, sentence_transformers, torch
    answers = os.fdopen(os.dup(1), "w")
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(_fork(json.loads(line))), file=answers, flush=True)


def _fork(request: dict[str, object]) -> dict[str, object]:
    pipes = os.pipe(), os.pipe()
    gate = os.pipe()
    child = os.fork()
    if not child:
        os.close(gate[1])
        _let_trace()
        os.read(gate[0], 1)  # until a tracer, where there is one, holds this process
        os.close(gate[0])
        _run(request, pipes)
    os.close(gate[0])
    tracer = _trace(child, request["strace"]) if request["strace"] else None
    os.close(gate[1])
    began = time.monotonic()
    for _, end in pipes:
        os.close(end)
        os.set_blocking(_, False)
    output = [b"", b""]
    after, appears = request["after"], request["appears"]
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        for index, (end, _) in enumerate(pipes):
            output[index] += _available(end)
        if done:
            break
        late = after is not None and time.monotonic() - began >= after
        if late or (appears and any(Path(str(request["cwd"])).glob(str(appears)))):
            os.kill(child, int(str(request["send"])))
            after = appears = None
        time.sleep(0.002)
    for end, _ in pipes:
        os.close(end)
    if tracer:
        tracer.wait()
    out, err = (text.decode(errors="replace") for text in output)
    code = os.waitstatus_to_exitcode(status)
    return {"code": code, "out": out, "err": err, "seconds": time.monotonic() - began}


def _let_trace() -> None:
    """Let a process that is no ancestor trace this one, which Yama's ptrace_scope 1 would not."""
    ctypes.CDLL(None).prctl(_PR_SET_PTRACER, ctypes.c_ulong(_PR_SET_PTRACER_ANY), 0, 0, 0)


def _drop_capabilities() -> None:
    """Give up all that root may do beyond others, for good; see capset(2)."""
    version_3_of_this_process = (ctypes.c_uint32 * 2)(0x20080522, 0)
    none = (ctypes.c_uint32 * 6)()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.capset(version_3_of_this_process, none):
        raise OSError(ctypes.get_errno(), "capset")


def _trace(child: int, arguments: object) -> "subprocess.Popen[str]":
    """Attach ``strace`` to a process; back when it holds it."""
    assert isinstance(arguments, list)
    tracer = subprocess.Popen(
        ["strace", "-f", "-p", str(child), *arguments], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    assert tracer.stderr
    told = tracer.stderr.readline()
    if "attached" not in told:
        os.kill(child, signal.SIGKILL)
        raise RuntimeError(f"strace: {told}")
    threading.Thread(target=tracer.stderr.read, daemon=True).start()  # what more it says is about threads
    return tracer


def _available(descriptor: int) -> bytes:
    text = b""
    while True:
        try:
            part = os.read(descriptor, 65_536)
        except BlockingIOError:
            return text
        if not part:
            return text
        text += part


def _run(request: dict[str, object], pipes: tuple[tuple[int, int], tuple[int, int]]) -> None:
    """Be the command; does not return."""
    code = 70
    try:
        os.chdir(str(request["cwd"]))
        for number, (_, end) in enumerate(pipes, 1):
            os.dup2(end, number)
        size = request["file_size"]
        if size is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(str(size)), int(str(size))))
        if request["processes"] is not None:
            resource.setrlimit(resource.RLIMIT_NPROC, (int(str(request["processes"])),) * 2)
        if request["user"] is not None:
            os.setgroups([])
            os.setgid(int(str(request["user"])))
            os.setuid(int(str(request["user"])))
        if request["unprivileged"]:
            _drop_capabilities()
        from cocorec_cli.main import main

        code = main(list(request["args"]))  # type: ignore[call-overload]
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    _serve()
