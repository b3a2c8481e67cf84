"""Several processes that share the work of a command: one that dies, and the run that goes on."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest
from safetensors import safe_open

from cocorec_cli.main import main
from stages.artifacts.names import CHECKPOINT_DIR, METRICS, MODEL_WEIGHTS, RANKS

TRAIN = (
    *(
        "train",
        "--model",
        "cocorec",
        "--device",
        "cpu",
        "--threads",
        "1",
        "--dim",
        "16",
        "--text-dim",
        "8",
        "--fusion-layers",
        "1",
    ),
    *("--fusion-ffn-dim", "32", "--ffn-dim", "32", "--layers", "1", "--max-history", "6", "--batch-size", "64"),
    *("--dropout", "0", "--fusion-dropout", "0", "--warmup-steps", "5", "--msa-weight", "0.1", "--mcm-weight", "0.1"),
)
USERS = 17_000
"""Two chunks of them."""

EVALUATE = ("evaluate", "--device", "cpu", "--threads", "1", "--resamples", "20", "--json")


def workers(rank=None):
    """The processes that this one has started and that share work, or that of one rank."""
    found = []
    for child in psutil.Process().children(recursive=True):
        try:
            if "stages.frame.processes.worker" in child.cmdline() and (
                rank is None or child.environ().get("RANK") == str(rank)
            ):
                found.append(child)
        except psutil.Error:  # it has ended
            continue
    return found


def kill_once(folder, pattern, rank):
    """Kill the process of a rank as soon as a file is there."""

    def wait():
        end = time.monotonic() + 120
        while not any(folder.glob(pattern)) and time.monotonic() < end:
            time.sleep(0.02)
        for found in workers(rank):
            found.send_signal(signal.SIGKILL)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


@pytest.fixture(scope="module")
def workdir(make_structured, tmp_path_factory):
    return make_structured(tmp_path_factory.mktemp("processes") / "artifacts")


@pytest.fixture
def trained(workdir):
    """The same, with a model whoever has run before."""
    if not (workdir / MODEL_WEIGHTS).exists():
        assert main([*TRAIN, "--workdir", str(workdir), "--epochs", "1", "--quiet"]) == 0
    return workdir


def test_a_process_that_is_killed_ends_the_run_and_one_alone_goes_on(workdir, capsys):
    last = workdir / CHECKPOINT_DIR / "last.safetensors"
    killer = kill_once(last.parent, last.name, 1)
    code = main([*TRAIN, "--workdir", str(workdir), "--processes", "2", "--epochs", "500", "--patience", "500"])
    killer.join()
    told = capsys.readouterr()
    assert code == 1, told.err
    assert "error: process 1 of 2 was ended by SIGKILL\nhint: The same command goes on" in told.err
    assert "Traceback" not in told.err and told.out == ""
    assert workers() == []

    done = _epoch(last)
    more = ["--epochs", str(done + 1), "--patience", "500", "--json"]
    code = main([*TRAIN, "--workdir", str(workdir), *more])
    told = capsys.readouterr()
    assert code == 0, told.err
    assert f"continuing the run that came to epoch {done}" in told.err
    facts = json.loads(told.out)["result"]["facts"]
    plural = "s" if done > 1 else ""
    assert facts["processes_by_epoch"] == f"2 for {done} epoch{plural}, then 1 for 1 epoch"
    assert facts["processes"] == 1 and facts["epochs"] == done + 1
    shared = facts["losses"]

    # What two processes began and one ended is what one alone comes to, to rounding.
    assert main([*TRAIN, "--workdir", str(workdir), *more, "--force"]) == 0
    facts = json.loads(capsys.readouterr().out)["result"]["facts"]
    assert "processes" not in facts and "processes_by_epoch" not in facts
    assert shared == pytest.approx(facts["losses"], rel=1e-3)


def test_torchrun_gives_the_same_metrics_once(trained, capsys):
    assert main([*EVALUATE, "--workdir", str(trained)]) == 0
    alone = _metrics(trained, json.loads(capsys.readouterr().out))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--no-python"]
    ran = subprocess.run(
        [
            *command,
            sys.executable,
            "-m",
            "cocorec_cli",
            *EVALUATE,
            "--force",
            "--fail-under",
            "mrr=0",
            "--workdir",
            str(trained),
        ],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )
    assert ran.returncode == 0, ran.stderr
    report = json.loads(ran.stdout)  # one object, of the first process
    assert report["result"]["facts"]["processes"] == 2
    assert _metrics(trained, report) == alone
    assert ran.stderr.count("no embeddings") <= 1


def test_lists_are_gone_on_with_and_are_those_of_one_process(trained, capsys, monkeypatch):
    taken = {f"u{n}": [f"item-{(n + place) % 60:03}" for place in range(n % 5)] for n in range(USERS)}
    lines = [json.dumps({"user_id": user, "item_ids": ids}) + "\n" for user, ids in taken.items()]
    log = "".join(lines).encode()

    def run(*more):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(log)))
        command = ["recommend", "--workdir", str(trained), "--device", "cpu", "--threads", "1", *more]
        code = main([*command, "--histories", "-", "--where", "brand != 'brand 3'", "--output", "-"])
        return code, capsys.readouterr()

    killer = kill_once(trained / ".cocorec", "recommend-*/000000.parquet", 1)
    code, killed = run("--processes", "2")
    killer.join()
    assert code == 1, killed.err
    assert "error: process 1 of 2 was ended by SIGKILL\nhint: The same command goes on" in killed.err
    assert "Traceback" not in killed.err and workers() == []
    code, together = run("--processes", "2")
    assert code == 0, together.err
    assert f"of {USERS:,} users were done" in together.err
    code, alone = run()
    assert code == 0, alone.err
    assert together.out == alone.out and alone.out.startswith(killed.out)
    rows = [json.loads(line) for line in alone.out.splitlines()]
    assert [row["user_id"] for row in rows] == sorted(taken)
    assert {row["fallback"] for row in rows} == {True, False}


def _epoch(path):
    with safe_open(path, framework="pt") as file:
        progress = json.loads(file.metadata()["progress"])
    assert progress["processes"] == [2] * progress["epoch"]
    return progress["epoch"]


def _metrics(workdir, report):
    ranks = pq.read_table(workdir / RANKS).to_pydict()
    assert (workdir / METRICS).is_file()
    return ranks, report["result"]["facts"]["metrics"]
