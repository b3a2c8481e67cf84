"""Putting numbered interactions in order."""

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from stages.preprocess.histories.numbering import Codes

Index = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


def ascending(values: npt.NDArray[Any]) -> Index:
    """The order (rows,) of whole numbers, equal ones as they stand."""
    low, bits = int(values.min()), max(1, len(values) - 1).bit_length()
    if (int(values.max()) - low).bit_length() + bits > 64:
        return np.argsort(values, kind="stable")
    # Sorting numbers with their places in the low bits is far faster than sorting places by numbers.
    packed = (values.astype(np.int64) - low).astype(np.uint64) << np.uint64(bits)
    packed |= np.arange(len(values), dtype=np.uint64)
    packed = pl.Series(packed).sort().to_numpy() & np.uint64((1 << bits) - 1)
    return packed.view(np.int64)


def first_of_equals(tied: Mask, items: Codes) -> Mask:
    """All interactions but those whose item was there before, at the same time for the same user.

    Args:
        tied: (rows,) which of them have user and time of the row before them.
        items: (rows,) number of the item, in the same order.
    """
    first = np.ones(len(items), np.bool_)
    if tied.any():
        rows, run = _runs(tied)
        _, kept = np.unique(run * (int(items.max()) + 1) + items[rows], return_index=True)
        first[rows] = False
        first[rows[kept]] = True
    return first


def one_of_repeats(users: Codes, items: Codes, which: str) -> Mask:
    """The first or last interaction of each user with each item.

    Args:
        users: (rows,) number of the user, ascending.
        items: (rows,) number of the item, each user's oldest first.
        which: ``first`` or ``last``.
    """
    pairs = users.astype(np.int64) * (int(items.max()) + 1) + items
    pairs = pairs[::-1] if which == "last" else pairs
    _, kept = np.unique(pairs, return_index=True)
    mask = np.zeros(len(pairs), np.bool_)
    mask[kept] = True
    return mask[::-1] if which == "last" else mask


def backwards(users: Codes, rows: Index, tied: Mask) -> tuple[int, int]:
    """How many interactions stand before the user's next older one in the file, and how many have such a neighbour.

    Those at equal times do not count.

    Args:
        users: (rows,) number of the user, ascending.
        rows: (rows,) the row of the file, each user's oldest first.
        tied: (rows,) which of them have user and time of the row before them.
    """
    neighbours = (users[1:] == users[:-1]) & ~tied[1:]
    return int((neighbours & (rows[1:] < rows[:-1])).sum()), int(neighbours.sum())


def mostly(some: int, of: int) -> bool:
    """Whether nearly all are what some of them are."""
    return some > 0.9 * of > 0


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
    return rows_of(starts, lengths), np.repeat(np.arange(len(places)), lengths)


def rows_of(starts: Index, lengths: Index) -> Index:
    """The rows of runs, one run after the other.

    Args:
        starts: (runs,) the first row of each.
        lengths: (runs,) how many rows it has.
    """
    return np.repeat(starts - (np.cumsum(lengths) - lengths), lengths) + np.arange(lengths.sum())


def run_starts(*columns: npt.NDArray[Any]) -> Index:
    """Where runs of rows begin that are equal in all columns (runs,)."""
    if not len(columns[0]):
        return np.zeros(0, np.int64)
    return np.flatnonzero(np.append(True, np.logical_or.reduce([c[1:] != c[:-1] for c in columns])))


def _runs(tied: Mask) -> tuple[Index, Index]:
    """Rows that have the user and time of a neighbour, and numbers of the runs that they form."""
    member = tied.copy()
    member[:-1] |= tied[1:]
    rows = np.flatnonzero(member)
    return rows, np.cumsum(~tied[rows])
