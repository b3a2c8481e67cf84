"""Lists through an index of the item vectors: it names the likely items, the model scores them exactly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stages.artifacts.errors import DataError, NotFiniteError
from stages.model.cosines import Cosines
from stages.model.packing import pack
from stages.model.shifts import Shifts
from stages.model.tiles import LEAST_ROWS
from stages.recommend.items import Numbers

if TYPE_CHECKING:
    from stages.serve.work import Asked

_MOST = 4096
"""Items that the index is asked for; a request that needs more is ranked without it."""


class Index(Protocol):
    """Finds items by the inner product of their vectors with users'; may miss some."""

    @property
    def items(self) -> int:
        """N."""
        ...

    @property
    def dim(self) -> int:
        """D."""
        ...

    def search(
        self, vectors: npt.NDArray[np.float32], top: int
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """Item numbers (U, k), best first, 0 where it found fewer, and inner products, for users (U, d)."""
        ...


LoadIndex = Callable[[Path], Index]
"""Reads the index of a work directory, and refuses one of another model.

Raises:
    DataError: naming the file and what is wrong.
"""


class Shortlist:
    """Ranks with an index.

    Args:
        index: of the vectors of the model's items.
        cosines: score exactly.
        max_history: items of a history that are read.
        where: what errors name.

    Raises:
        DataError: when the index holds other items, or vectors of another width.
    """

    def __init__(self, index: Index, cosines: Cosines, max_history: int, where: str) -> None:
        items, dim = len(cosines.candidates) - 1, cosines.candidates.shape[1]
        if (index.items, index.dim) != (items, dim):
            raise DataError(
                f"{where}: the index holds {index.items:,} vectors of {index.dim} dimensions, the model has {items:,} "
                f"of {dim}",
                "Make the index anew.",
            )
        self._index, self._cosines, self._max_history = index, cosines, max_history

    @torch.inference_mode()
    def best(self, asked: Sequence[Asked]) -> list[tuple[Numbers, npt.NDArray[np.float32]] | None]:
        """The best items after histories that are not empty, at most k, and their scores.

        Items that a bias of the model moves for this history, such as its own, are always scored, since no bias is in
        the index; where there are candidates they alone are scored, all of them.

        Returns:
            For each request its list; ``None`` where the index does not suffice: for a request that leaves out too
            many items, or one that it found too few items for.

        Raises:
            NotFiniteError: when a score is NaN or infinite.
        """
        users, read = self._read(asked)
        left_out = [np.unique(one.left_out) for one in asked]
        needs = [
            0 if one.candidates is not None else min(one.top + len(out), self._index.items)
            for one, out in zip(asked, left_out, strict=True)
        ]
        wanted = max((need for need in needs if need <= _MOST), default=0)
        found = self._index.search(users[: len(asked)].cpu().numpy(), wanted)[0] if wanted else None
        lists: list[tuple[Numbers, npt.NDArray[np.float32]] | None] = []
        for row, (one, out, need) in enumerate(zip(asked, left_out, needs, strict=True)):
            if need > _MOST:
                lists.append(None)
                continue
            near, moved, enough = one.candidates, read.of(row), True
            if near is None:
                assert found is not None
                near = found[row][found[row] > 0]
                enough = len(np.setdiff1d(near, out)) >= min(one.top, self._index.items - len(out))
                near = np.union1d(near, moved[0].cpu().numpy())
            items = np.setdiff1d(near, out, assume_unique=True).astype(np.int32)
            lists.append(self._scored(users[row], items, one.top, moved) if enough else None)
        return lists

    def _read(self, asked: Sequence[Asked]) -> tuple[Tensor, _Moved]:
        """Vectors of the users, (B, d), and what the biases add for them."""
        parts = [one.history.astype(np.int64) for one in asked]
        parts += [parts[0][-self._max_history :]] * (LEAST_ROWS - len(parts))
        lengths = torch.tensor([len(part) for part in parts])
        ends = lengths.cumsum(0)
        device = self._cosines.candidates.device
        items = torch.from_numpy(np.concatenate(parts)).to(device)
        first, start, end = (
            bound.to(device) for bound in (ends - lengths, ends - lengths.clamp(max=self._max_history), ends)
        )
        histories, packing = pack(items, start, end, self._max_history)
        moved = [self._cosines.shifts(histories, packing), self._cosines.older(items, first, start, end)]
        added = [one for one in moved if one is not None]
        return self._cosines.users(histories, packing), _Moved(Shifts.merged(added, len(parts)) if added else None)

    def _scored(
        self, user: Tensor, items: Numbers, top: int, moved: tuple[Tensor, Tensor]
    ) -> tuple[Numbers, npt.NDArray[np.float32]]:
        """The best of some items (n,), ascending, with what is added to some of them."""
        cosines = self._cosines
        numbers = torch.from_numpy(items.astype(np.int64)).to(user.device)
        scores = cosines.candidates[numbers] @ user
        if cosines.of_items is not None:
            scores = scores + cosines.of_items[numbers]
        if len(items) and len(moved[0]):
            places = torch.searchsorted(numbers, moved[0]).clamp_(max=len(numbers) - 1)
            here = numbers[places] == moved[0]
            scores.index_add_(0, places[here], moved[1][here].float())
        if not scores.sum().isfinite():
            raise NotFiniteError("scores are not finite", "Train again, with a lower --learning-rate if it diverged.")
        found = scores.cpu().numpy()
        order = np.lexsort((items, -found))[:top]
        return items[order], found[order]


class _Moved:
    """What is added to which items, history by history.

    Args:
        shifts: of all; ``None`` for nothing.
    """

    def __init__(self, shifts: Shifts | None) -> None:
        self._shifts = shifts

    def of(self, row: int) -> tuple[Tensor, Tensor]:
        """Items and values of a history; several values of an item add up."""
        if self._shifts is None:
            return torch.empty(0, dtype=torch.int64), torch.empty(0)
        bounds = torch.tensor([row, row + 1], device=self._shifts.rows.device)
        low, high = torch.searchsorted(self._shifts.rows, bounds).tolist()
        return self._shifts.items[low:high], self._shifts.values[low:high]
