"""What limits a process: real limits, set in processes of their own."""

import os
import subprocess
import sys

import pytest

ASKED = """
import os, resource, sys
from cocorec_cli import limits

if sys.argv[1] != "none":
    kind, user = getattr(resource, sys.argv[1]), int(sys.argv[3])
    resource.setrlimit(kind, (int(sys.argv[2]), resource.getrlimit(kind)[1]))
    if user:
        os.setuid(user)
print(limits.described(), limits.nearly_out_of_memory())
"""


def asked(*given: str) -> str:
    done = subprocess.run([sys.executable, "-c", ASKED, *given], capture_output=True, text=True, timeout=50, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["none"], "None False"),
        (["RLIMIT_AS", str(512 << 20), "0"], "memory is limited to 512 MiB (`ulimit -v`, `ulimit -d`) True"),
        (["RLIMIT_AS", str(512 << 30), "0"], "memory is limited to 524,288 MiB (`ulimit -v`, `ulimit -d`) False"),
        (["RLIMIT_DATA", str(300 << 20), "0"], "memory is limited to 300 MiB (`ulimit -v`, `ulimit -d`) True"),
        (["RLIMIT_NPROC", "100", "0"], "None False"),  # root is not held to it
        (["RLIMIT_NPROC", "100", "4321"], "threads are limited to 100 (`ulimit -u`) False"),
        (["RLIMIT_NPROC", "30000", "4321"], "None False"),
    ],
)
def test_limits_in_words(given, said):
    if os.geteuid() and given[0] == "RLIMIT_NPROC":
        pytest.skip("only root can become another user")
    assert asked(*given) == said
