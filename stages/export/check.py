"""What was exported, held against the model itself."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from stages.artifacts.errors import CocorecError
from stages.artifacts.histories import Histories
from stages.export.vectors import Matrix, Reader, spans
from stages.model.packing import pack

TOLERANCE = 1e-5
"""By how much a number may differ from the model's."""

_SAMPLE, _SCORES = 256, 1 << 24
"""Histories that are compared, and scores that are held; of a large catalogue fewer histories are taken."""


@dataclass(frozen=True)
class Sample:
    """Some histories with what the model says of them.

    Attributes:
        items: (S, L) int64, right-padded with 0.
        vectors: (S, d), the model's own.
        scores: (S, N), the model's own, of the items 1 to N.
    """

    items: npt.NDArray[np.int64]
    vectors: Matrix
    scores: Matrix


@torch.inference_mode()
def read_sample(reader: Reader, histories: Histories) -> Sample:
    """Histories from all over the file, and their beginnings, so that short ones are among them."""
    _, start, end = spans(histories, reader.length)
    count = min(len(start), _SAMPLE, max(2, _SCORES // len(reader.history_table)))
    chosen = np.unique(np.linspace(0, len(start) - 1, count).astype(np.int64))
    start, end = start[chosen], end[chosen]
    # Every other one is cut to one more item than the one before.
    lengths = np.where(np.arange(len(chosen)) % 2, end - start, 1 + np.arange(len(chosen)) // 2 % reader.length)
    end = np.minimum(end, start + lengths)
    rows = np.zeros((len(chosen), reader.length), np.int64)
    for row, (low, high) in enumerate(zip(start, end, strict=True)):
        rows[row, : high - low] = histories.items[low:high]
    device = reader.history_table.device
    known = torch.from_numpy(rows[rows > 0]).to(device)
    ends = torch.from_numpy(np.cumsum(end - start)).to(device)
    packed, packing = pack(known, ends - torch.from_numpy(end - start).to(device), ends)
    tile = reader.model.scorer()(packed, packing)
    scores = tile(slice(0, len(rows))).float().cpu().numpy()[:, 1:]
    return Sample(rows, reader.read(histories.items, start, end), scores)


def difference(what: str, found: npt.NDArray[np.floating], expected: Matrix) -> float:
    """The largest difference between what was exported and the model.

    Raises:
        CocorecError: when it is larger than :data:`TOLERANCE`.
    """
    largest = float(np.abs(found - expected).max(initial=0))
    if found.shape != expected.shape or not largest <= TOLERANCE:
        raise CocorecError(
            f"{what} differs from the model by {largest:.2g}, more than {TOLERANCE:g}: nothing was exported",
            "This is a mistake of cocorec or of a library; please report it.",
        )
    return largest
