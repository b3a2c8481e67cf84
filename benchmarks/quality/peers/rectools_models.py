"""``UniSRecModel`` and ``SASRecModel`` of RecTools, run by :mod:`benchmarks.quality.peers` with its interpreter.

Reads the npz file that :mod:`benchmarks.quality.peers` writes, prints a JSON line per epoch and writes the ranks of the
test targets by the weights of the best epoch. RecTools knows the items of the training histories alone: another target
gets the last rank, another item is left out of a history.
"""

import argparse
import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch
from pytorch_lightning import Callback, Trainer
from rectools import Columns
from rectools.dataset import Dataset
from rectools.fast_transformers import UniSRecModel
from rectools.models import SASRecModel

from benchmarks.quality.peers.waiting import Best, histories, rank_among, read_arguments

_BATCH = 512


class Peer:
    """What is common to both models.

    Args:
        data: arrays of the npz file.
        arguments: of the command line.
    """

    def __init__(self, data: dict[str, Any], arguments: argparse.Namespace) -> None:
        self.data, self.arguments = data, arguments
        places = np.arange(len(data["items"]))
        user = np.repeat(np.arange(len(data["train_end"])), np.diff(data["offsets"]))
        used = places - data["offsets"][user] < data["train_end"][user]
        self.users, self.items = user[used], data["items"][used].astype(np.int64)


class UniSRec(Peer):
    """Texts through a learned projection; no item numbers."""

    def train(self) -> Callable[[str], Any]:
        """Train; gives what ranks the targets of a split."""
        vectors, best = torch.from_numpy(self.data["vectors"]), Best(self.arguments.patience)
        peer = self

        class Validation(Callback):
            def on_train_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
                net = pl_module.net.eval()
                trainer.should_stop = not best.look(peer.ranks("valid", net), lambda: copy.deepcopy(net.state_dict()))
                net.train()

        class Model(UniSRecModel):
            def _make_trainer(self, max_epochs: int, val_dl: Any = None) -> Trainer:
                trainer = super()._make_trainer(max_epochs, val_dl)
                trainer.callbacks.append(Validation())
                return trainer

        self.model = Model(
            vectors,
            n_factors=self.arguments.dim,
            n_heads=2,
            session_max_len=self.arguments.max_history,
            dropout=self.arguments.dropout,
            lr=self.arguments.learning_rate,
            epochs=self.arguments.epochs,
            batch_size=self.arguments.batch_size,
            device="cpu",
        )
        user, item = torch.from_numpy(self.users), torch.from_numpy(self.items)
        self.model.fit(user, item, torch.arange(len(user)))
        net = self.model.net
        net.load_state_dict(best.state)
        return lambda split: self.ranks(split, net.eval())

    @torch.no_grad()
    def ranks(self, split: str, net: Any) -> Any:
        """Ranks of the targets of a split."""
        longest = self.arguments.max_history
        before = histories(self.data, split, longest)
        target = self.model.map_item_ids(torch.from_numpy(self.data[f"{split}_target"].astype(np.int64))).numpy()
        table, found = net.project_all(), []
        for start in range(0, len(before), _BATCH):
            part = before[start : start + _BATCH]
            padded = np.zeros((len(part), longest), np.int64)
            for row, history in zip(padded, part, strict=True):
                known = self.model.map_item_ids(torch.from_numpy(history.astype(np.int64))).numpy()
                known = known[known > 0]
                row[longest - len(known) :] = known
            scores = net.encode_last(torch.from_numpy(padded)) @ table.T
            scores[:, 0] = -np.inf
            found.append(rank_among(scores.numpy(), target[start : start + _BATCH]))
        return np.where(target > 0, np.concatenate(found), self.data["vectors"].shape[0] - 1)


class SASRec(Peer):
    """Item numbers alone, with the full softmax."""

    def train(self) -> Callable[[str], Any]:
        """Train; gives what ranks the targets of a split."""
        dataset, best = Dataset.construct(_log(self.users, self.items)), Best(self.arguments.patience)
        model = SASRecModel(
            n_blocks=2,
            n_heads=2,
            n_factors=self.arguments.dim,
            dropout_rate=self.arguments.dropout,
            session_max_len=self.arguments.max_history,
            loss="softmax",
            lr=self.arguments.learning_rate,
            batch_size=self.arguments.batch_size,
            epochs=self.arguments.epochs,
        )
        for _ in range(self.arguments.epochs):
            model.fit_partial(dataset, min_epochs=1, max_epochs=1)
            if not best.look(self.ranks("valid", model, 10), lambda: copy.deepcopy(model.torch_model.state_dict())):
                break
        model.torch_model.load_state_dict(best.state)
        return lambda split: self.ranks(split, model, len(self.data["vectors"]))

    def ranks(self, split: str, model: SASRecModel, top: int) -> Any:
        """Ranks of the targets of a split, where they are among the first ones."""
        target, last = self.data[f"{split}_target"].astype(np.int64), len(self.data["vectors"]) - 1
        ranks, before = np.full(len(target), last), histories(self.data, split, self.arguments.max_history)
        for start in range(0, len(before), _BATCH):
            part = before[start : start + _BATCH]
            user = np.repeat(np.arange(len(part)), [len(history) for history in part])
            dataset = Dataset.construct(_log(user, np.concatenate(part).astype(np.int64)))
            found = model.recommend(
                np.arange(len(part)), dataset, k=top, filter_viewed=False, on_unsupported_targets="ignore"
            )
            at = found[Columns.User].to_numpy()
            hits = found[Columns.Item].to_numpy() == target[start + at]
            ranks[start + at[hits]] = found[Columns.Rank].to_numpy()[hits]
        return ranks


def _log(user: Any, item: Any) -> pd.DataFrame:
    when = pd.to_datetime(np.arange(len(user)), unit="s")
    return pd.DataFrame({Columns.User: user, Columns.Item: item, Columns.Weight: 1.0, Columns.Datetime: when})


def main() -> None:
    """Train one of the models."""
    arguments = read_arguments(__doc__, ("unisrec", "sasrec"))
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    kind = UniSRec if arguments.model == "unisrec" else SASRec
    rank = kind(dict(np.load(arguments.data)), arguments).train()
    np.save(arguments.ranks, rank("test"))


if __name__ == "__main__":
    main()
