"""Sizes that are typed, what is measured, and the end of a process that holds too much."""

import subprocess
import sys

import psutil
import pytest

from cocorec_cli.memory import read_size

MEASURED = """
from cocorec_cli.memory import held, peak_mib, reset_peak

before = held()
reset_peak()
lowest = peak_mib()
block = bytearray(b"x") * (64 * 2**20)
print((held() - before) / 2**20, peak_mib() - lowest)
del block
print(peak_mib() - lowest)
reset_peak()
print(peak_mib() - lowest)
"""

HOLDS_TOO_MUCH = """
import sys, threading
from pathlib import Path
from cocorec_cli.memory import held, limited

(Path("artifacts") / ".cocorec" / "inputs" / "a").mkdir(parents=True)
for name in ("artifacts/.items.parquet.tmp-1", "artifacts/.cocorec/inputs/a/.log.csv.tmp-2", "artifacts/items.parquet"):
    Path(name).write_text("x")
with limited(held() + 40 * 2**20, Path("artifacts"), "embed"):
    kept = [bytearray(b"x") * 2**20 for _ in range(int(sys.argv[1]))]
    if len(kept) > 40:
        threading.Event().wait()  # as inside a library that does not come back
print("done")
"""


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("2GiB", 2 * 2**30),
        ("2g", 2 * 2**30),
        ("1.5 G", 3 * 2**29),
        ("500MB", 500_000_000),
        ("512K", 2**19),
        ("1TiB", 2**40),
        ("1000", 1_000),
        ("1000B", 1_000),
    ],
)
def test_sizes(text, size):
    assert read_size(text) == size


@pytest.mark.parametrize("text", ["", "much", "-1G", "2 potatoes", "1e9", "0", "GiB", "1.5.2G"])
def test_what_is_no_size(cli, text):
    outcome = cli("preprocess", "log.csv", f"--memory-limit={text}")
    assert (outcome.code, "Traceback" in outcome.err) == (2, False)
    assert "--memory-limit" in outcome.err


def test_in_the_configuration_and_in_the_environment(cli, tmp_path, monkeypatch):
    (tmp_path / "log.csv").write_text("user_id,item_id\nu,a\nu,b\nu,c\n")
    text = "[preprocess]\ninputs = ['log.csv']\nk_core = 0\nmemory_limit = {}\n"
    (tmp_path / "c.toml").write_text(text.format("'100GiB'"))
    assert cli("preprocess", "--config", "c.toml").code == 0
    for wrong in ("'lots'", "5"):
        (tmp_path / "c.toml").write_text(text.format(wrong))
        outcome = cli("preprocess", "--config", "c.toml")
        assert (outcome.code, "memory_limit: " in outcome.err) == (2, True)
    monkeypatch.setenv("COCOREC_PREPROCESS_MEMORY_LIMIT", "lots")
    outcome = cli("preprocess", "log.csv")
    assert outcome.code == 2
    assert "'lots' is not a size such as 2GiB or 500MB" in outcome.err


def test_without_psutil_a_limit_is_refused_and_nothing_is_run(cli, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "psutil", None)
    (tmp_path / "log.csv").write_text("user_id,item_id\nu,a\nu,b\nu,c\n")
    outcome = cli("preprocess", "log.csv", "--memory-limit=4GiB")
    assert (outcome.code, "pip install psutil" in outcome.err) == (2, True)
    assert not list(tmp_path.rglob("*.parquet"))
    assert cli("preprocess", "log.csv", "--k-core=0").code == 0


def test_what_is_held_and_the_peak_of_it(tmp_path):
    run = [sys.executable, "-c", MEASURED]
    ended = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    held, peak, peak_after, peak_from_then_on = map(float, ended.stdout.split())
    assert 60 < held < 80
    assert peak > 60 and peak_after > 60
    assert peak_from_then_on < 30


def test_a_process_that_holds_too_much_is_ended_in_good_order(tmp_path):
    run = [sys.executable, "-c", HOLDS_TOO_MUCH]
    ended = subprocess.run([*run, "400"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    error, hint = ended.stderr.splitlines()
    assert error.startswith("error: embed holds ") and "more than --memory-limit" in error
    assert hint.startswith("hint: Raise the limit")
    assert [path.name for path in (tmp_path / "artifacts").rglob("*") if path.is_file()] == ["items.parquet"]


def test_a_process_that_stays_below_is_let_be(tmp_path):
    run = [sys.executable, "-c", HOLDS_TOO_MUCH, "5"]
    ended = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "done\n", "")


CHILD_HOLDS_TOO_MUCH = """
import subprocess, sys, threading
from pathlib import Path
from cocorec_cli.memory import held, limited

Path("artifacts").mkdir()
code = "import time; kept = bytearray(b'x') * (300 * 2**20); print('holds', flush=True); time.sleep(300)"
with limited(held() + 150 * 2**20, Path("artifacts"), "train"):
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    print(child.pid, flush=True)
    threading.Event().wait()
"""


def test_what_a_process_has_started_counts_and_ends_with_it(tmp_path):
    run = [sys.executable, "-c", CHILD_HOLDS_TOO_MUCH]
    ended = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: train holds ") and "fewer --processes" in ended.stderr
    child = int(ended.stdout)
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE
