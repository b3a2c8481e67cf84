"""What libraries do to a process that is short of something, in the child of a guarded process."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

# Sets a limit, then a stage that ends, or does not end, as libraries do.
PROGRAM = """
import os, resource, signal, sys, threading, time
import stages.quantize
from cocorec_cli import guard
from cocorec_cli.main import main

guard.STUCK, guard.GRACE = 1.0, 0.5
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))

def deaf():
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    print("working", file=sys.stderr, flush=True)
    while True:
        pass

def stuck():
    lock = threading.Lock()
    lock.acquire()
    threading.Thread(target=lock.acquire, daemon=True).start()
    lock.acquire()

def quantize(options, **settings):
    {action}

stages.quantize.quantize = quantize
sys.argv = ["cocorec", "quantize", "--quiet"]
sys.exit(main())
"""


def started(action: str, folder) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM.replace("{action}", action)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("os.abort()", "a library ended with SIGABRT"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "a library ended with SIGSEGV"),
        ("os._exit(127)", "a library ended the command"),
        ("os._exit(0)", "a library ended the command"),
        ("os.kill(os.getpid(), signal.SIGINT); time.sleep(60)", "was interrupted for want of a thread"),
        ("stuck()", "waited for a thread that did not come"),
    ],
)
def test_what_python_does_not_see_is_told(action, said, tmp_path):
    process = started(action, tmp_path)
    out, err = process.communicate(timeout=50)
    assert (process.returncode, out) == (1, ""), err
    assert f"error: out of memory: a library {said.removeprefix('a library ')}; memory is limited to 8,192 MiB" in err
    assert "hint: " in err and "interrupted by" not in err and "Traceback" not in err


@pytest.mark.parametrize(
    ("action", "code", "said"),
    [
        ("raise MemoryError('malloc failed')", 1, "error: out of memory: malloc failed"),
        ("from stages.artifacts.errors import DataError; raise DataError('it is bad')", 3, "error: it is bad"),
        ("raise KeyError('ours')", 1, "this is a bug in cocorec"),
    ],
)
def test_what_was_told_is_told_once(action, code, said, tmp_path):
    process = started(action, tmp_path)
    _, err = process.communicate(timeout=50)
    assert process.returncode == code
    assert err.count("error: ") == 1 and said in err


@pytest.mark.parametrize(("number", "code", "name"), [(signal.SIGINT, 130, "Ctrl-C"), (signal.SIGTERM, 143, "SIGTERM")])
@pytest.mark.parametrize("action", ["print('on', file=sys.stderr, flush=True); time.sleep(60)", "deaf()"])
def test_an_interrupt_ends_it_also_where_python_does_not_hear(action, number, code, name, tmp_path):
    if action == "deaf()" and number == signal.SIGINT:
        action = "signal.signal(signal.SIGINT, signal.SIG_IGN); deaf()"
    process = started(action, tmp_path)
    assert process.stderr.readline()
    process.send_signal(number)
    began = time.monotonic()
    _, err = process.communicate(timeout=50)
    assert (process.returncode, time.monotonic() - began < 20) == (code, True)
    assert err == f"interrupted by {name}; finished work is kept, the same command goes on from there\n"


def test_the_child_does_not_outlive_it(tmp_path):
    process = started("print(os.getpid(), file=sys.stderr, flush=True); time.sleep(60)", tmp_path)
    child = int(process.stderr.readline())
    process.kill()
    process.wait()
    for _ in range(100):
        try:
            if Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return
        except FileNotFoundError:
            return
        time.sleep(0.05)
    raise AssertionError("it is still there")
