"""A process ends with the one that started it, even where that is killed."""

import subprocess
import sys
import time

import psutil
import pytest

CHILD = """
import sys, time
from stages.frame.processes.parent import die_with_parent
die_with_parent(int(sys.argv[1]))
print("lives", flush=True)
time.sleep(300)
"""
PARENT = f"""
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}, str(os.getpid())], stdout=subprocess.PIPE, text=True)
assert child.stdout.readline() == "lives\\n"
print(child.pid, flush=True)
time.sleep(300)
"""

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the system has no such signal")


def test_it_ends_with_its_parent():
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    end = time.monotonic() + 20
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE and time.monotonic() < end:
        time.sleep(0.02)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_one_whose_parent_is_another_ends_at_once():
    ended = subprocess.run([sys.executable, "-c", CHILD, "1"], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
