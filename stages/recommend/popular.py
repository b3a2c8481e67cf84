"""What those get of whom nothing is known: the items that were taken most often."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from stages.artifacts.errors import DataError
from stages.artifacts.histories import read_histories
from stages.artifacts.names import HISTORIES, SEQUENCES
from stages.artifacts.sequences import read_sequences
from stages.recommend.items import Numbers

Counts = npt.NDArray[np.int64]


def popularity_file(workdir: Path) -> Path | None:
    """Where popularity is counted: all histories of the log, else those that were learnt from, if one is there."""
    return next((path for name in (HISTORIES, SEQUENCES) if (path := workdir / name).exists()), None)


def count_items_taken(workdir: Path, items: int) -> Counts:
    """How often each item was taken in the whole log (N,).

    Args:
        workdir: the work directory.
        items: N.

    Raises:
        DataError: when no file of histories is there, or it breaks the contract.
    """
    path = popularity_file(workdir)
    if path is None:
        raise DataError(
            f"a history has no known item, and without {workdir / HISTORIES} or {workdir / SEQUENCES} it is not known "
            "which items are popular",
            "Put one of these files there, or leave such histories out.",
        )
    histories = read_histories(path, items=items) if path.name == HISTORIES else read_sequences(path, items=items)
    return np.bincount(histories.items, minlength=items + 1)[1:]


def most_popular(
    counts: Counts, top: int, allowed: npt.NDArray[np.bool_] | None
) -> tuple[Numbers, npt.NDArray[np.float32]]:
    """The items that were taken most often and may be recommended, equal ones in the order of their numbers.

    Args:
        counts: (N,) how often each was taken.
        top: k.
        allowed: (N + 1,) by item number; ``None`` for all.

    Returns:
        Item numbers (k,), 0 where there are fewer, and how often each was taken (k,).
    """
    left = counts if allowed is None else np.where(allowed[1:], counts, -1)
    order = np.argsort(-left, kind="stable")[:top]
    taken = left[order]
    return np.where(taken >= 0, order + 1, 0).astype(np.int32), np.maximum(taken, 0).astype(np.float32)
