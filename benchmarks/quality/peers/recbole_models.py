"""``SASRec`` of RecBole, run by :mod:`benchmarks.quality.peers` with its interpreter.

Reads the npz file that :mod:`benchmarks.quality.peers` writes, prints a JSON line per epoch and writes the ranks of the
test targets by the weights of the best epoch. RecBole trains a row per prefix: ``--batch-size`` counts rows.
"""

import copy
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from recbole.data import create_dataset, data_preparation
from recbole.data.interaction import Interaction
from recbole.model.sequential_recommender import SASRec
from recbole.trainer import Trainer
from recbole.utils import init_seed

from benchmarks.quality.peers.waiting import Best, histories, rank_among, read_arguments
from benchmarks.recbole_sasrec import sasrec_config, write_rows

_BATCH = 512


def write_files(folder: Path, data: dict[str, Any], longest: int) -> None:
    """Write atomic files with a row per target: user, the items before it, the target."""
    items, rows = data["items"].tolist(), []
    for user, (start, known) in enumerate(zip(data["offsets"].tolist(), data["train_end"].tolist(), strict=False)):
        rows += [(user, items[max(start, at - longest) : at], items[at]) for at in range(start + 1, start + known)]
    parts = {"train": rows}
    for split in ("valid", "test"):
        targets = data[f"{split}_target"].tolist()
        before = [history.tolist() for history in histories(data, split, longest)]
        parts[split] = list(zip(range(len(targets)), before, targets, strict=True))
    write_rows(folder, parts)


@torch.no_grad()
def ranks(model: Any, dataset: Any, data: dict[str, Any], split: str, longest: int) -> Any:
    """Ranks of the targets of a split among all items that RecBole knows."""
    model.eval()
    target = dataset.token2id("item_id", data[f"{split}_target"].astype(str))
    before, found = histories(data, split, longest), []
    for start in range(0, len(before), _BATCH):
        part = before[start : start + _BATCH]
        padded = np.zeros((len(part), longest), np.int64)
        for row, history in zip(padded, part, strict=True):
            row[: len(history)] = dataset.token2id("item_id", history.astype(str))
        lengths = torch.tensor([len(history) for history in part])
        asked = Interaction({"item_id_list": torch.from_numpy(padded), "item_length": lengths})
        scores = model.full_sort_predict(asked)
        scores[:, 0] = -np.inf
        found.append(rank_among(scores.numpy(), target[start : start + _BATCH]))
    model.train()
    return np.concatenate(found)


def main() -> None:
    """Train it."""
    arguments = read_arguments(__doc__, ("sasrec",))
    torch.set_num_threads(arguments.threads)
    sys.argv = sys.argv[:1]  # RecBole reads options from there
    data, longest = dict(np.load(arguments.data)), arguments.max_history
    with tempfile.TemporaryDirectory() as name:
        write_files(Path(name), data, longest)
        config = sasrec_config(
            name,
            dim=arguments.dim,
            dropout=arguments.dropout,
            learning_rate=arguments.learning_rate,
            batch_size=arguments.batch_size,
            max_history=longest,
            seed=arguments.seed,
        )
        init_seed(arguments.seed, reproducibility=True)
        dataset = create_dataset(config)
        train, _, _ = data_preparation(config, dataset)
        model, best = SASRec(config, train.dataset), Best(arguments.patience)
        trainer = Trainer(config, model)
        for epoch in range(1, arguments.epochs + 1):
            trainer._train_epoch(train, epoch, show_progress=False)
            found = ranks(model, dataset, data, "valid", longest)
            if not best.look(found, lambda: copy.deepcopy(model.state_dict())):
                break
        model.load_state_dict(best.state)
        np.save(arguments.ranks, ranks(model, dataset, data, "test", longest))


if __name__ == "__main__":
    main()
