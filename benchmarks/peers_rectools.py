"""SASRec of RecTools on given sequences, run by :mod:`benchmarks.peers` with the interpreter that has RecTools.

Reads an npz file (``user``, ``item``, ``target_user``, ``target_item``); prints a JSON line per epoch with the seconds
of training and the validation NDCG@10, ranked against all items that occur in training.
"""

import argparse
import json
import math
import time

import numpy as np
import pandas as pd
import torch
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel


def main() -> None:
    """Train epoch by epoch."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data")
    for name, default in (("epochs", 3), ("dim", 64), ("batch-size", 512), ("max-history", 20), ("threads", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--learning-rate", type=float, default=0.001)
    parser.add_argument("--goal", type=float, default=1.0, help="NDCG@10 at which to stop")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    data = np.load(arguments.data)
    log = pd.DataFrame(
        {
            Columns.User: data["user"],
            Columns.Item: data["item"],
            Columns.Weight: 1.0,
            Columns.Datetime: pd.to_datetime(np.arange(len(data["user"])), unit="s"),
        }
    )
    dataset = Dataset.construct(log)
    model = SASRecModel(
        n_blocks=2,
        n_heads=2,
        n_factors=arguments.dim,
        dropout_rate=0.3,
        session_max_len=arguments.max_history,
        loss="softmax",
        lr=arguments.learning_rate,
        batch_size=arguments.batch_size,
        epochs=arguments.epochs,
    )
    wanted = dict(zip(data["target_user"].tolist(), data["target_item"].tolist(), strict=True))
    users = np.array(sorted(set(log[Columns.User]) & set(wanted)))
    for epoch in range(1, arguments.epochs + 1):
        began, began_cpu = time.perf_counter(), time.process_time()
        model.fit_partial(dataset, min_epochs=1, max_epochs=1)
        seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - began_cpu
        found = model.recommend(users, dataset, k=10, filter_viewed=False)
        hits = found[found[Columns.Item] == found[Columns.User].map(wanted)]
        gain = sum(1 / math.log2(rank + 1) for rank in hits[Columns.Rank])
        row = {"epoch": epoch, "seconds": seconds, "cpu_seconds": cpu_seconds, "ndcg@10": gain / len(wanted)}
        print(json.dumps(row), flush=True)
        if row["ndcg@10"] >= arguments.goal:
            break


if __name__ == "__main__":
    main()
