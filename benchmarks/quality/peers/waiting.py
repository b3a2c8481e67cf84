"""What the scripts of the peers share: their command line, histories, when to stop, the best state, ranks.

They run with interpreters that do not have this toolkit.
"""

import argparse
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt


def read_arguments(description: str | None, models: Sequence[str]) -> argparse.Namespace:
    """The command line that :mod:`benchmarks.quality.peers` gives the script of a peer.

    Args:
        description: of the script.
        models: that it knows.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("data", help="npz file of the sequences")
    parser.add_argument("ranks", help="npy file for the ranks of the test targets")
    parser.add_argument("--model", choices=tuple(models), required=True)
    for name in ("epochs", "patience", "dim", "batch-size", "max-history", "threads", "seed"):
        parser.add_argument(f"--{name}", type=int, required=True)
    for name in ("learning-rate", "dropout"):
        parser.add_argument(f"--{name}", type=float, required=True)
    return parser.parse_args()


def histories(data: Mapping[str, npt.NDArray[Any]], split: str, longest: int) -> list[npt.NDArray[np.int32]]:
    """The last items before each target of a split.

    Args:
        data: arrays of the npz file.
        split: ``valid`` or ``test``.
        longest: items that a history keeps.
    """
    spans = zip(data[f"{split}_start"].tolist(), data[f"{split}_end"].tolist(), strict=True)
    return [data["items"][max(start, end - longest) : end] for start, end in spans]


def gain(ranks: npt.NDArray[np.int64]) -> float:
    """NDCG@10 of targets with these ranks, from 1."""
    return float(np.where(ranks <= 10, 1 / np.log2(1 + ranks), 0.0).mean())


class Best:
    """The best state so far by validation NDCG@10.

    Args:
        patience: epochs without a better one after which :meth:`look` says to stop.
    """

    def __init__(self, patience: int) -> None:
        self.state: Any = None
        self._patience, self._epoch, self._at, self._value = patience, 0, 0, -math.inf
        self._cpu = time.process_time()

    def look(self, ranks: npt.NDArray[np.int64], state: Callable[[], Any]) -> bool:
        """Take the ranks of an epoch's validation and print a JSON line; whether to go on.

        Args:
            ranks: of the validation targets.
            state: gives a copy of the weights, asked for when they are the best.
        """
        self._epoch += 1
        value = gain(ranks)
        if value > self._value:
            self._value, self._at, self.state = value, self._epoch, state()
        cpu = time.process_time() - self._cpu
        print(json.dumps({"epoch": self._epoch, "ndcg@10": value, "cpu_seconds": round(cpu, 1)}), flush=True)
        return self._epoch < self._at + self._patience


def rank_among(scores: npt.NDArray[np.float32], targets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Ranks (R,) of columns ``targets`` (R,) in rows of scores (R, N); what scores the same stands before them."""
    own = scores[np.arange(len(scores)), targets]
    found: npt.NDArray[np.int64] = (scores >= own[:, None]).sum(1)
    return found
