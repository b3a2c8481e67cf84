"""SASRec of RecBole on given sequences, run by :mod:`benchmarks.peers` with the interpreter that has RecBole.

Reads an npz file (``user``, ``item``, ``target_user``, ``target_item``); prints a JSON line per epoch with the seconds
of training and the validation NDCG@10, ranked against all items. RecBole trains one row per prefix; ``--batch-size``
counts rows.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from recbole.data import create_dataset, data_preparation
from recbole.model.sequential_recommender import SASRec
from recbole.trainer import Trainer
from recbole.utils import init_seed

from benchmarks.recbole_sasrec import sasrec_config, write_rows


def write_files(folder: Path, data: dict[str, np.ndarray], max_history: int) -> None:
    """Write atomic files with a row per target: user, the items before it, the target."""
    histories: dict[int, list[int]] = {}
    for user, item in zip(data["user"].tolist(), data["item"].tolist(), strict=True):
        histories.setdefault(user, []).append(item)
    rows = [
        (user, items[max(0, at - max_history) : at], items[at])
        for user, items in histories.items()
        for at in range(1, len(items))
    ]
    targets = zip(data["target_user"].tolist(), data["target_item"].tolist(), strict=True)
    held = [(user, histories[user][-max_history:], item) for user, item in targets if user in histories]
    write_rows(folder, {"train": rows, "valid": held, "test": held})


def main() -> None:
    """Train epoch by epoch."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data")
    for name, default in (("epochs", 3), ("dim", 64), ("batch-size", 2048), ("max-history", 20), ("threads", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--learning-rate", type=float, default=0.001)
    parser.add_argument("--goal", type=float, default=1.0, help="NDCG@10 at which to stop")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    sys.argv = sys.argv[:1]  # RecBole reads options from there
    data = dict(np.load(arguments.data))
    with tempfile.TemporaryDirectory() as name:
        write_files(Path(name), data, arguments.max_history)
        config = sasrec_config(
            name,
            dim=arguments.dim,
            dropout=0.3,
            learning_rate=arguments.learning_rate,
            batch_size=arguments.batch_size,
            max_history=arguments.max_history,
            seed=0,
        )
        init_seed(0, reproducibility=True)
        dataset = create_dataset(config)
        train, valid, _ = data_preparation(config, dataset)
        model = SASRec(config, train.dataset)
        trainer = Trainer(config, model)
        held = len(data["target_user"])
        for epoch in range(1, arguments.epochs + 1):
            began, began_cpu = time.perf_counter(), time.process_time()
            trainer._train_epoch(train, epoch, show_progress=False)
            seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - began_cpu
            found = trainer.evaluate(valid, load_best_model=False, show_progress=False)["ndcg@10"]
            gain = float(found) * len(valid.dataset) / held  # users without a history have no row
            row = {"epoch": epoch, "seconds": seconds, "cpu_seconds": cpu_seconds, "ndcg@10": gain}
            print(json.dumps(row), flush=True)
            if gain >= arguments.goal:
                break


if __name__ == "__main__":
    main()
