"""Training rows: which stretches of the histories are read, and which of their positions have targets."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stages.artifacts.sequences import Sequences
from stages.model.batch import Batch
from stages.model.packing import Packing
from stages.model.team import ALONE, Team
from stages.train.shares import share_of

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Windows:
    """Stretches of ``Sequences.items``; the item after each position is that position's target.

    Attributes:
        start: (W,) first item of the window.
        length: (W,) how many items are read; the last target is at ``start + length``.
        counted_from: (W,) first position whose target counts; earlier ones are context that another window counts.
    """

    start: Integers
    length: Integers
    counted_from: Integers

    def __len__(self) -> int:
        """How many windows there are."""
        return len(self.start)

    @property
    def targets(self) -> int:
        """How many targets an epoch has."""
        return int((self.length - self.counted_from).sum())


def every_position(sequences: Sequences, max_history: int) -> Windows:
    """Each training item but a user's first is a target once, all positions of a window in one pass.

    A history longer than ``max_history`` is read in several windows, the later ones with half a window of context.
    """
    base, inputs = sequences.offsets[:-1], sequences.train_end - 1
    stride = max(1, max_history // 2)
    count = np.where(inputs > 0, 1 + np.maximum(0, -(-(inputs - max_history) // stride)), 0)
    user = np.repeat(np.arange(sequences.users), count)
    order = np.arange(len(user)) - np.repeat(np.cumsum(count) - count, count)
    end = np.minimum(max_history + order * stride, inputs[user])
    start = np.maximum(0, end - max_history)
    previous_end = np.where(order > 0, max_history + (order - 1) * stride, 0)
    return Windows(base[user] + start, end - start, np.maximum(0, previous_end - start))


def last_position(sequences: Sequences, max_history: int) -> Windows:
    """One row per prefix, only its last position has a target: the authors' way."""
    base, inputs = sequences.offsets[:-1], np.maximum(sequences.train_end - 1, 0)
    user = np.repeat(np.arange(sequences.users), inputs)
    end = np.arange(len(user)) - np.repeat(np.cumsum(inputs) - inputs, inputs) + 1
    start = np.maximum(0, end - max_history)
    length = end - start
    return Windows(base[user] + start, length, length - 1)


WINDOWS = {"all": every_position, "last": last_position}
"""Ways to make training rows, by the value of ``--targets``."""


class Sampler:
    """Draws the batches of an epoch; which ones is decided by seed and epoch alone.

    Args:
        items: ``Sequences.items`` as int64 on the training device.
        windows: all training rows.
        batch_size: windows per batch.
        seed: decides the order.
        candidates: (S,) items that each batch is to be ranked against; ``None`` for the whole catalogue.
        team: the processes that share each batch.
    """

    def __init__(
        self,
        items: Tensor,
        windows: Windows,
        batch_size: int,
        seed: int,
        candidates: Tensor | None = None,
        team: Team = ALONE,
    ) -> None:
        self._team = team
        self._items, self._windows, self._candidates = items, windows, candidates
        self._batch_size, self._seed = batch_size, seed

    def __len__(self) -> int:
        """How many batches an epoch has."""
        return -(-len(self._windows) // self._batch_size)

    def order(self, epoch: int) -> Integers:
        """The windows in the order in which the epoch visits them."""
        return np.random.default_rng((self._seed, epoch)).permutation(len(self._windows))

    def batch(self, order: Integers, index: int) -> Batch:
        """Batch number ``index`` of an epoch's order, or the part of it that is this process' share."""
        chosen = order[index * self._batch_size : (index + 1) * self._batch_size]
        length = self._windows.length[chosen]
        # The lengths are known on the host: build the packing there and spare the device a synchronisation.
        row = np.repeat(np.arange(len(chosen)), length)
        column = np.arange(len(row)) - np.repeat(np.cumsum(length) - length, length)
        position = self._windows.start[chosen][row] + column
        counted = column >= self._windows.counted_from[chosen][row]
        device = self._items.device
        rows, columns, positions, counted_rows = (
            torch.from_numpy(part).to(device) for part in (row, column, position, np.flatnonzero(counted))
        )
        packing = Packing(rows, columns, len(chosen), int(length.max()))
        targets = self._items[positions[counted_rows] + 1]
        batch = Batch(self._items[positions], packing, counted_rows, targets, self._candidates)
        if self._team.count == 1:
            return batch
        return share_of(batch, length, counted, self._team.rank, self._team.count)
