"""Vectors of items and users, of length 1: their inner product is the model's similarity."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from torch import Tensor
from torch.nn import functional as F

from stages.artifacts.errors import NotFiniteError
from stages.artifacts.histories import Histories
from stages.artifacts.lineage import Lineage
from stages.artifacts.names import Columns
from stages.artifacts.tables import table_writer, write_table
from stages.artifacts.vectors import to_fixed_size_list
from stages.model.packing import pack
from stages.model.recommender import Recommender
from stages.model.repeats import older_items

Matrix = npt.NDArray[np.float32]

_GROUP = 16_384
"""Users of a row group."""


@dataclass(frozen=True)
class Reader:
    """Turns histories into vectors, as the model does when it scores.

    Attributes:
        model: in evaluation mode.
        history_table: (N + 1, d) vectors of the items as part of a history.
        batch_size: histories read at a time.
    """

    model: Recommender
    history_table: Tensor
    batch_size: int

    @property
    def length(self) -> int:
        """L, the most items of a history that are read."""
        return self.model.config.max_history

    @torch.inference_mode()
    def read(self, items: npt.NDArray[np.int32], start: npt.NDArray[np.int64], end: npt.NDArray[np.int64]) -> Matrix:
        """Vectors (U, d) of the histories ``items[start:end]``, none of them empty or longer than L.

        Raises:
            NotFiniteError: when one is NaN or infinite.
        """
        device = self.history_table.device
        vectors = np.empty((len(start), self.history_table.shape[1]), np.float32)
        # Histories of like length go together, so that little of the attention's rectangle is padding.
        order = np.argsort(start - end, kind="stable")
        for low in range(0, len(order), self.batch_size):
            rows = order[low : low + self.batch_size]
            first = int(start[rows].min())
            part = torch.from_numpy(items[first : int(end[rows].max())].astype(np.int64)).to(device)
            begin, stop = (torch.from_numpy(bound[rows] - first).to(device) for bound in (start, end))
            histories, packing = pack(part, begin, stop)
            read = self.model.read(self.history_table, histories, packing).float()
            vectors[rows] = F.normalize(read, dim=-1).cpu().numpy()
        _require_finite(vectors, self.model.origin)
        return vectors


@torch.inference_mode()
def item_vectors(model: Recommender, candidate_table: Tensor) -> Matrix:
    """Vectors (N, d) of the items as candidates, of length 1.

    Raises:
        NotFiniteError: when one is NaN or infinite.
    """
    vectors = np.ascontiguousarray(F.normalize(candidate_table.float(), dim=-1).cpu().numpy()[1:])
    _require_finite(vectors, model.origin)
    return vectors


def _require_finite(vectors: Matrix, origin: str) -> None:
    if not np.isfinite(vectors).all():
        raise NotFiniteError(
            f"{origin}: vectors are not finite", "Train again, with a lower --learning-rate if it diverged."
        )


def write_item_vectors(
    path: Path, item_ids: pa.ChunkedArray, vectors: Matrix, bias: npt.NDArray[np.float32], lineage: Lineage
) -> None:
    """Write ``item_vectors.parquet``: ``item``, ``item_id``, ``vector``, ``bias``, in the order of the numbers.

    Raises:
        DataError: when the disk is full or the folder cannot be written.
    """
    numbers = pa.array(np.arange(1, len(vectors) + 1, dtype=np.int32))
    schema = pa.schema(
        [
            pa.field(Columns.ITEM, pa.int32(), False),
            pa.field(Columns.ITEM_ID, pa.string(), False),
            pa.field(Columns.VECTOR, pa.list_(pa.float32(), vectors.shape[1]), False),
            pa.field(Columns.BIAS, pa.float32(), False),
        ]
    )
    table = pa.table([numbers, item_ids, to_fixed_size_list(vectors), pa.array(bias)], schema=schema)
    write_table(path, table, lineage, compression="none")


def spans(histories: Histories, length: int) -> tuple[npt.NDArray[np.int64], ...]:
    """Users with a history (U,), and where in ``histories.items`` the part lies that the model reads (U,), (U,)."""
    users = np.flatnonzero(np.diff(histories.offsets))
    first, end = histories.offsets[users], histories.offsets[users + 1]
    return users, np.maximum(first, end - length), end


def _groups(count: int) -> Iterator[slice]:
    return (slice(low, min(low + _GROUP, count)) for low in range(0, count, _GROUP))


def write_user_vectors(
    path: Path, reader: Reader, histories: Histories, lineage: Lineage, *, progress: Callable[[int], None]
) -> int:
    """Write ``user_vectors.parquet``: ``user_id``, ``items`` (what was read, oldest first), ``older``, ``vector``.

    ``older`` holds the distinct items of the history before the part that was read, which does not hold them.

    Users without any item get no row.

    Returns:
        How many users have a vector.

    Raises:
        DataError: when the disk is full or the folder cannot be written.
        NotFiniteError: when a vector is NaN or infinite.
    """
    schema = pa.schema(
        [
            pa.field(Columns.USER_ID, pa.string(), False),
            pa.field(Columns.ITEMS, pa.list_(pa.int32()), False),
            pa.field(Columns.OLDER, pa.list_(pa.int32()), False),
            pa.field(Columns.VECTOR, pa.list_(pa.float32(), reader.history_table.shape[1]), False),
        ]
    )
    users, start, end = spans(histories, reader.length)
    with table_writer(path, schema, compression="none") as writer:
        for group in _groups(len(users)):
            vectors = reader.read(histories.items, start[group], end[group])
            lengths = end[group] - start[group]
            offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
            places = np.arange(offsets[-1]) + np.repeat(start[group] - offsets[:-1], lengths)
            items = pa.ListArray.from_arrays(pa.array(offsets), pa.array(histories.items[places]))
            older = _older(histories, users[group], start[group], end[group], len(reader.history_table) - 1)
            ids = histories.user_ids.take(pa.array(users[group]))
            writer.write(pa.table([ids, items, older, to_fixed_size_list(vectors)], schema=schema))
            progress(len(vectors))
        writer.set_lineage(lineage)
    return len(users)


def _older(
    histories: Histories,
    users: npt.NDArray[np.int64],
    start: npt.NDArray[np.int64],
    end: npt.NDArray[np.int64],
    n: int,
) -> pa.ListArray:
    """The items of :func:`stages.model.repeats.older_items`, a list for each user."""
    first = histories.offsets[users]
    low = int(first.min(initial=0)) if len(users) else 0
    items = torch.from_numpy(histories.items[low : int(end.max(initial=low))].astype(np.int64))
    rows, numbers = older_items(items, n, *(torch.from_numpy(bound - low) for bound in (first, start, end)))
    offsets = np.concatenate([[0], np.cumsum(np.bincount(rows.numpy(), minlength=len(users)))]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(numbers.numpy().astype(np.int32)))
