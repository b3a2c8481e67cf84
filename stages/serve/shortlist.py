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

        An item of the history is always scored, since the repeat bias is not in the index; where there are candidates
        they alone are scored, all of them.

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
            near = one.candidates
            if near is None:
                assert found is not None
                near = np.union1d(found[row][found[row] > 0], one.history)
            items = np.setdiff1d(near, out, assume_unique=True).astype(np.int32)
            enough = one.candidates is not None or len(items) >= min(one.top, self._index.items - len(out))
            lists.append(self._scored(row, items, one.top, users, read) if enough else None)
        return lists

    def _read(self, asked: Sequence[Asked]) -> tuple[Tensor, tuple[Tensor, Tensor] | None]:
        """Vectors of the users, (B, d), and what is added to which item (P,) of which user, as sorted keys."""
        parts = [one.history[-self._max_history :].astype(np.int64) for one in asked]
        parts += [parts[0]] * (LEAST_ROWS - len(parts))
        ends = torch.from_numpy(np.cumsum([len(part) for part in parts]))
        starts = ends - torch.tensor([len(part) for part in parts])
        device = self._cosines.candidates.device
        items = torch.from_numpy(np.concatenate(parts)).to(device)
        histories, packing = pack(items, starts.to(device), ends.to(device), self._max_history)
        users = self._cosines.users(histories, packing)
        shifts = self._cosines.shifts(histories, packing)
        if shifts is None:
            return users, None
        keys, order = (shifts.rows * len(self._cosines.candidates) + shifts.items).sort()
        return users, (keys, shifts.values[order])

    def _scored(
        self, row: int, items: Numbers, top: int, users: Tensor, shifts: tuple[Tensor, Tensor] | None
    ) -> tuple[Numbers, npt.NDArray[np.float32]]:
        candidates = self._cosines.candidates
        numbers = torch.from_numpy(items.astype(np.int64)).to(candidates.device)
        scores = candidates[numbers] @ users[row]
        if shifts is not None and len(shifts[0]):
            keys, values = shifts
            wanted = row * len(candidates) + numbers
            places = torch.searchsorted(keys, wanted).clamp_(max=len(keys) - 1)
            scores = scores + torch.where(keys[places] == wanted, values[places], 0)
        if not scores.sum().isfinite():
            raise NotFiniteError("scores are not finite", "Train again, with a lower --learning-rate if it diverged.")
        found = scores.cpu().numpy()
        order = np.lexsort((items, -found))[:top]
        return items[order], found[order]
