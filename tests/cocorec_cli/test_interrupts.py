"""Interrupts that libraries change or drop: real signals to real processes."""

import signal
import subprocess
import sys

import pytest

# A stage within which the signal arrives at a bad moment, in place of the real one.
STAGE = """
import os, signal, sys, time
import stages.quantize
from cocorec_cli.main import main

number = int(sys.argv[1])

class Dropping:
    def __del__(self):
        os.kill(os.getpid(), number)
        time.sleep(60)

class Panic(BaseException):
    pass

def dropped():
    Dropping()
    time.sleep(60)

def changed(error):
    try:
        os.kill(os.getpid(), number)
        time.sleep(60)
    except KeyboardInterrupt as interrupt:
        raise error("a library's own words") from interrupt

def quantize(options, **settings):
    {action}

stages.quantize.quantize = quantize
sys.exit(main(["quantize"]))
"""


@pytest.mark.parametrize("action", ["dropped()", "changed(RuntimeError)", "changed(Panic)"])
@pytest.mark.parametrize(("number", "code", "name"), [(signal.SIGINT, 130, "Ctrl-C"), (signal.SIGTERM, 143, "SIGTERM")])
def test_an_interrupt_is_one_whatever_a_library_makes_of_it(action, number, code, name, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", STAGE.replace("{action}", action), str(int(number))],
        capture_output=True, text=True, timeout=50, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == code, done
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        f"interrupted by {name}; finished work is kept, the same command goes on from there"
    ]


def test_a_job_in_the_background_is_not_for_ctrl_c(tmp_path):
    script = STAGE.replace("{action}", "os.kill(os.getpid(), number); raise KeyError('went on')")
    done = subprocess.run(
        ["sh", "-c", 'trap "" INT; "$0" -c "$1" 2', sys.executable, script],
        capture_output=True, text=True, timeout=50, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 1
    assert "went on" in done.stderr
