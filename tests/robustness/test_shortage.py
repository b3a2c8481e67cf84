"""Commands that get too little memory or no thread: exit code 1, said as what it is, soon, and nothing is lost."""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

ANOTHER = 4321
"""Number of a user."""

MEMORY = [
    ("preprocess", 500_000),
    ("preprocess", 700_000),
    ("embed", 1_000_000),
    ("quantize", 500_000),
    ("train", 700_000),
    ("evaluate", 700_000),
    ("recommend", 700_000),
    ("status", 250_000),
]
"""Commands and KiB (``ulimit -v``) at which a library aborts, exits by itself or tells no Python error of memory."""


SELDOM = {("preprocess", 700_000), ("quantize", 500_000), ("recommend", 700_000)}
"""Tried with the crash tests alone: each costs a start of all libraries, and ends as another one does."""


@pytest.mark.parametrize(
    ("command", "limit"), [pytest.param(*tried, marks=[pytest.mark.crash] * (tried in SELDOM)) for tried in MEMORY]
)
def test_too_little_memory(command, limit, shop, arguments, tmp_path, leftover_files):
    folder = Path(shutil.copytree(shop.folder, tmp_path / "shop", symlinks=True))
    given = ["status", "--verify"] if command == "status" else [*arguments[command], "--force"]
    ended = subprocess.run(
        [sys.executable, "-m", "cocorec_cli", *given],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit << 10, limit << 10)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1, ended
    assert ended.stderr.count("error: out of memory: ") == 1 and "hint: " in ended.stderr
    assert "damaged" not in ended.stderr and "this is a bug" not in ended.stderr
    assert leftover_files(folder) == []
    if command != "status":
        assert shop.unlike(command, folder) == []  # what was there before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("command", ["status", "quantize", "evaluate"])
def test_no_thread_to_be_had(command, shop, warm, arguments):
    given = ["status", "--verify"] if command == "status" else [*arguments[command], "--force"]
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to others
        folder = Path(name)
        shutil.copytree(shop.folder / "artifacts", folder / "artifacts")
        for path in (folder, *folder.rglob("*")):
            os.chown(path, ANOTHER, ANOTHER)
        ended = warm(*given, cwd=folder, user=ANOTHER, processes=1, after=60)
    assert ended.code == 1, ended
    assert "error: the system gives no further thread: " in ended.err
    assert "damaged in" not in ended.err and "Traceback" not in ended.err
