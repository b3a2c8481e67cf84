"""Ids as numbers, so that all further work is on integers."""

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

Codes = npt.NDArray[np.uint32]

_SEEDS = 64
_ALIKE = f"different strings share a hash with each of {_SEEDS} seeds"


def encode(ids: pl.Series) -> tuple[Codes, pl.Series]:
    """Number the distinct strings of a column, in no particular order.

    Args:
        ids: (rows,) string, no nulls.

    Returns:
        A number from 0 for each row (rows,), and the string that each number stands for.
    """
    changes = (ids != ids.shift(1)).fill_null(True)
    if 2 * changes.sum() > len(ids):
        return _encode(ids)
    # Many logs hold the rows of a user together.
    codes, distinct = _encode(ids.filter(changes))
    return codes[np.cumsum(changes.to_numpy()) - 1], distinct


def _encode(ids: pl.Series) -> tuple[Codes, pl.Series]:
    """By sorting, which brings rows of the same hash together and on a large log is far faster than a hash table."""
    for seed in range(_SEEDS):
        hashes = ids.hash(seed)
        order = hashes.arg_sort().to_numpy()
        ordered = hashes.to_numpy()[order]
        first = np.ones(len(order), np.bool_)
        np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
        codes = np.empty(len(order), np.uint32)
        codes[order] = np.cumsum(first, dtype=np.uint32) - np.uint32(1)
        distinct = ids.gather(order[first])
        # Different strings hardly ever share a hash; if they do, another seed tells them apart.
        if (distinct.gather(codes) == ids).all():
            return codes, distinct
    raise AssertionError(_ALIKE)


def ranks(ids: pl.Series) -> tuple[Codes, pl.Series]:
    """The places (N,), from 0, that distinct strings (N,) have in their byte order, and the strings in this order."""
    ordered = ids.sort()
    places = np.empty(len(ids), np.uint32)
    for seed in range(_SEEDS):
        # The same string comes at the same place in both orders of hashes, found without comparing strings again.
        places[ids.hash(seed).arg_sort().to_numpy()] = ordered.hash(seed).arg_sort().to_numpy()
        if (ordered.gather(places) == ids).all():
            return places, ordered
    raise AssertionError(_ALIKE)


def renumber(codes: npt.NDArray[Any], ids: pl.Series) -> tuple[npt.NDArray[np.int64], pl.Series]:
    """Close the gaps that filtering left in the numbers."""
    used = np.zeros(ids.len(), np.bool_)
    used[codes] = True
    return (np.cumsum(used) - 1)[codes], ids.filter(pl.Series(used))
