"""Runs of the quality benchmark on a tiny invented data set, made once by the real runner and commands."""

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.quality.epochs import EPOCHS
from benchmarks.quality.run import main

REPOSITORY = Path(__file__).resolve().parents[3]

PLAN = """
seeds = [0, 1]
baseline = "small"

[data.invented]
title = "Invented"
folder = "invented"
preprocess = { inputs = ["log.csv"], k_core = 0, cold_items = 0.2 }

[data.unfinished]
folder = "invented"
preprocess = { inputs = ["log.csv"] }

[rows.small]
title = "a small SASRec"
train = { model = "sasrec", backbone = "bsarec", dim = 8, ffn_dim = 8, epochs = 80, patience = 80 }

[rows.popularity]
train = { model = "popularity" }
seeds = [0]

[rows.again]
train = { model = "popularity" }
seeds = [0]

[rows.later]
train = { model = "transitions" }
optional = true
"""


@dataclass(frozen=True)
class Made:
    """What the runner was given and made.

    Attributes:
        source: the folder of the data sets.
        plan: the TOML file.
        runs: the folder of the runs.
        stopped: exit code of the first runner, which got SIGTERM.
        epochs: lines of the first run's ``epochs.jsonl`` when it ended.
        code: exit code of the second, which finished.
    """

    source: Path
    plan: Path
    runs: Path
    stopped: int
    epochs: int
    code: int

    def arguments(self, *more: str) -> list[str]:
        return [str(self.source), "--runs", str(self.runs), "--plan", str(self.plan), "--data", "invented", *more]


def write_log(folder: Path) -> None:
    """80 users go round 20 items, some of them at random."""
    folder.mkdir(parents=True)
    chance = random.Random(0)
    rows = ["user_id,item_id,timestamp"]
    for user in range(80):
        at = chance.randrange(20)
        for when in range(chance.randint(5, 9)):
            at = (at + 1) % 20 if chance.random() < 0.8 else chance.randrange(20)
            rows.append(f"u{user},i{at:02},{when}")
    (folder / "log.csv").write_text("\n".join(rows) + "\n")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A runner that was ended in the middle of the first run, and one that went on."""
    root = tmp_path_factory.mktemp("quality")
    write_log(root / "data" / "invented")
    plan, runs = root / "plan.toml", root / "runs"
    plan.write_text(PLAN)
    found = Made(root / "data", plan, runs, 0, 0, 0)
    told = runs / "invented" / "small" / "seed-0" / EPOCHS
    command = [sys.executable, "-m", "benchmarks.quality.run", *found.arguments()]
    first = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 300
    while first.poll() is None and not told.exists() and time.monotonic() < until:
        time.sleep(0.01)
    first.send_signal(signal.SIGTERM)
    stopped = first.wait(timeout=120)
    epochs = len(told.read_text().splitlines())
    before = Path.cwd()
    os.chdir(REPOSITORY)
    try:
        code = main(found.arguments())
    finally:
        os.chdir(before)
    return Made(root / "data", plan, runs, stopped, epochs, code)
