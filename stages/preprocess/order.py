"""Putting numbered interactions in order."""

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from stages.preprocess.numbering import Codes

Index = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


def by_user_and_time(users: Codes, times: Index) -> tuple[Index, Mask]:
    """The order of interactions by user, then time; equal times keep the order of the file.

    Args:
        users: (rows,) number of the user.
        times: (rows,) any whole numbers.

    Returns:
        The rows in their new order (rows,), and which of them have user and time of the row before them (rows,).
    """
    key = _pack(users, times)
    order = pl.Series(key).arg_sort().to_numpy().astype(np.int64)
    key = key[order]
    tied = np.zeros(len(key), np.bool_)
    np.equal(key[1:], key[:-1], out=tied[1:])
    if tied.any():
        rows, run = _runs(tied)
        order[rows] = order[rows][np.lexsort((order[rows], run))]
    return order, tied


def first_of_equals(tied: Mask, items: Codes) -> Mask:
    """All interactions but those whose item was there before, at the same time for the same user.

    Args:
        tied: (rows,) as :func:`by_user_and_time` gives it.
        items: (rows,) number of the item, in the same order.
    """
    first = np.ones(len(items), np.bool_)
    if tied.any():
        rows, run = _runs(tied)
        _, kept = np.unique(run * (int(items.max()) + 1) + items[rows], return_index=True)
        first[rows] = False
        first[rows[kept]] = True
    return first


def move_runs(values: npt.NDArray[Any], places: Codes) -> tuple[Index, Index]:
    """Where the rows of runs of equal values come from when the runs change places.

    Args:
        values: (rows,) equal ones stand together.
        places: (runs,) the new place, from 0, of each run in the order of ``values``.

    Returns:
        The old row of each new one (rows,), and the place of its run (rows,), ascending.
    """
    starts = run_starts(values)
    lengths = np.diff(np.append(starts, len(values)))
    moved = np.empty(len(places), np.int64)
    moved[places] = np.arange(len(places))
    starts, lengths = starts[moved], lengths[moved]
    rows = np.repeat(starts - (np.cumsum(lengths) - lengths), lengths) + np.arange(len(values))
    return rows, np.repeat(np.arange(len(places)), lengths)


def run_starts(values: npt.NDArray[Any]) -> Index:
    """Where runs of equal values begin (runs,)."""
    return np.flatnonzero(np.append(True, values[1:] != values[:-1])) if len(values) else np.zeros(0, np.int64)


def _pack(users: Codes, times: Index) -> npt.NDArray[np.uint64]:
    """User and time in one number (rows,): one sort instead of two."""
    first, bits = int(times.min()), (int(times.max()) - int(times.min())).bit_length()
    if bits + int(users.max()).bit_length() >= 64:
        times = np.unique(times, return_inverse=True)[1]
        first, bits = 0, int(times.max()).bit_length()  # at most 32, as many rows as a table may have
    return users.astype(np.uint64) << np.uint64(bits) | (times - first).astype(np.uint64)


def _runs(tied: Mask) -> tuple[Index, Index]:
    """Rows that have the user and time of a neighbour, and numbers of the runs that they form."""
    member = tied.copy()
    member[:-1] |= tied[1:]
    rows = np.flatnonzero(member)
    return rows, np.cumsum(~tied[rows])
