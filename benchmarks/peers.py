"""SASRec here, in RecTools and in RecBole: time per epoch and time to a validation NDCG@10, the same sequences.

    python -m venv rectools && rectools/bin/pip install 'rectools[torch]'
    python -m venv recbole && recbole/bin/pip install recbole 'numpy<2' 'pandas<2.3' 'scipy<1.14' 'setuptools<81'
    python -m benchmarks.peers --workdir artifacts --rectools rectools/bin/python --recbole recbole/bin/python

The peers want other versions of numpy and pandas than this toolkit, hence environments of their own. All have the same
width, depth, dropout and learning rate, the full softmax, and the last 20 items of a history. This toolkit and RecTools
train every position of a history at once, RecBole a row per prefix in batches of its own default.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import report
from cocorec_cli.console import say
from stages.artifacts.names import HISTORY, ITEMS, SEQUENCES
from stages.artifacts.sequences import read_sequences
from stages.artifacts.tables import open_table
from stages.frame.reporter import Reporter

RECTOOLS, RECBOLE = "peers_rectools.py", "peers_recbole.py"


def peer_environment(threads: int) -> dict[str, str]:
    """The variables of a peer's script, which finds what it imports of this folder."""
    root = Path(__file__).resolve().parents[1]
    return {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": str(root)}


class _Clock(Reporter):
    """Notes the processor time at the end of each epoch, validation included."""

    def __init__(self) -> None:
        self.marks: list[float] = [time.process_time()]

    def on_epoch(self, number: int, metric: float) -> None:
        self.marks.append(time.process_time())


def ours(workdir: Path, epochs: int, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Epochs of ``cocorec train --model sasrec``; their seconds include validation and the checkpoint."""
    from stages.train import TrainOptions, train

    with tempfile.TemporaryDirectory() as name:
        folder, clock = Path(name), _Clock()
        for file in (ITEMS, SEQUENCES):
            (folder / file).symlink_to((workdir / file).absolute())
        began = time.perf_counter()
        result = train(
            TrainOptions(
                model="sasrec",
                dim=arguments.dim,
                ffn_dim=4 * arguments.dim,
                batch_size=arguments.batch_size,
                learning_rate=arguments.learning_rate,
                repeat_bias=False,
                cooccurrence_bias=False,
                epochs=epochs,
                patience=epochs,
                threads=arguments.threads,
                device="cpu",
            ),
            workdir=folder,
            reporter=clock,
        )
        seconds = (time.perf_counter() - began) / result.facts["epochs"]
        with open_table(folder / HISTORY) as file:
            metrics = file.read(columns=["ndcg@10"])["ndcg@10"].to_pylist()
    cpu = np.diff(clock.marks).tolist()
    return [
        {"epoch": at + 1, "seconds": seconds, "cpu_seconds": cpu[at], "ndcg@10": metric}
        for at, metric in enumerate(metrics)
    ]


def theirs(
    script: str, python: Path, workdir: Path, epochs: int, arguments: argparse.Namespace
) -> list[dict[str, Any]]:
    """Epochs of a peer, up to the one that reaches the goal; their seconds are those of training alone."""
    sequences = read_sequences(workdir / SEQUENCES)
    lengths = np.diff(sequences.offsets)
    user = np.repeat(np.arange(sequences.users), lengths)
    place = np.arange(len(user)) - np.repeat(sequences.offsets[:-1], lengths)
    train, valid = place < sequences.train_end[user], place == sequences.train_end[user]
    valid &= sequences.valid_end[user] > sequences.train_end[user]
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "sequences.npz"
        np.savez(
            path,
            user=user[train],
            item=sequences.items[train],
            target_user=user[valid],
            target_item=sequences.items[valid],
        )
        command = [str(python.absolute()), str(Path(__file__).absolute().with_name(script)), str(path)]
        options = ["dim", "threads", "learning_rate", "goal", *(["batch_size"] if script == RECTOOLS else [])]
        command += [f"--{option.replace('_', '-')}={getattr(arguments, option)}" for option in options]
        environment = peer_environment(arguments.threads)
        done = subprocess.run(
            [*command, f"--epochs={epochs}"],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            env=environment,
            cwd=name,  # RecBole and Lightning leave logs where they run
        )
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def summary(name: str, epochs: list[dict[str, Any]], goal: float) -> dict[str, Any]:
    """A row of the table."""
    reached = [row["epoch"] for row in epochs if row["ndcg@10"] >= goal]
    until = reached[0] if reached else None
    return {
        "side": name,
        "seconds": float(np.median([row["seconds"] for row in epochs])),
        "cpu_seconds": float(np.median([row["cpu_seconds"] for row in epochs])),
        "epochs": len(epochs),
        "best_ndcg@10": max(row["ndcg@10"] for row in epochs),
        "epochs_to_goal": until,
        "cpu_seconds_to_goal": sum(row["cpu_seconds"] for row in epochs[:until]) if until else None,
    }


def main(args: list[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--workdir", type=Path, required=True, help="with items.parquet and sequences.parquet")
    parser.add_argument("--rectools", type=Path, help="interpreter of an environment with RecTools")
    parser.add_argument("--recbole", type=Path, help="interpreter of an environment with RecBole")
    parser.add_argument("--epochs", type=int, default=10, help="epochs of each")
    parser.add_argument("--dim", type=int, default=64, help="width of the model")
    parser.add_argument("--batch-size", type=int, default=512, help="histories per step")
    parser.add_argument("--learning-rate", type=float, default=0.001, help="of both")
    parser.add_argument("--goal", type=float, default=0.03, help="validation NDCG@10 to reach")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="CPU threads")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    arguments = parser.parse_args(args)
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)
    sides: dict[str, Callable[..., list[dict[str, Any]]]] = {"cocorec train --model sasrec": ours}
    if arguments.rectools:
        sides["RecTools SASRecModel"] = partial(theirs, RECTOOLS, arguments.rectools)
    if arguments.recbole:
        sides["RecBole SASRec"] = partial(theirs, RECBOLE, arguments.recbole)
    rows = []
    for name, run in sides.items():
        say(f"{name}: up to {arguments.epochs} epochs")
        rows.append(summary(name, run(arguments.workdir, arguments.epochs, arguments), arguments.goal))
    report(
        f"SASRec, d {arguments.dim}, batch {arguments.batch_size}, {arguments.threads} threads; a run is an epoch",
        arguments,
        rows,
        unit="runs",
        columns=("epochs", "best_ndcg@10", "epochs_to_goal", "cpu_seconds_to_goal"),
    )


if __name__ == "__main__":
    main()
