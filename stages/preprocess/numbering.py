"""Ids as numbers, so that all further work is on integers."""

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

Codes = npt.NDArray[np.uint32]

_SEEDS = 64
_ALIKE = f"different strings share a hash with each of {_SEEDS} seeds"


def encode(ids: pl.Series) -> tuple[Codes, pl.Series]:
    """Number the distinct strings of a column in the order in which they first occur.

    Args:
        ids: (rows,) string, no nulls.

    Returns:
        A number from 0 for each row (rows,), and the string that each number stands for.
    """
    # 64 bits of hash are numbered far faster than strings; 64 others, of another seed, have to agree.
    checks = ids.hash(_SEEDS).to_numpy()
    for seed in range(_SEEDS):
        hashes = ids.hash(seed).to_numpy()
        codes = _encode(hashes)
        first = _first_of_each(codes)
        # Different strings hardly ever share a hash; if they do, another seed tells them apart.
        if (checks[first][codes] == checks).all():
            return codes, ids.gather(first)
    raise AssertionError(_ALIKE)


def _encode(hashes: npt.NDArray[np.uint64]) -> Codes:
    """Number hashes in the order in which they first occur."""
    changes = np.append(True, hashes[1:] != hashes[:-1])
    grouped = 2 * np.count_nonzero(changes) <= len(hashes)  # many logs hold the rows of a user together
    indices = pa.array(hashes[changes] if grouped else hashes).dictionary_encode().indices
    codes: Codes = indices.to_numpy().view(np.uint32)
    return codes[np.cumsum(changes) - 1] if grouped else codes


def _first_of_each(codes: Codes) -> npt.NDArray[np.int64]:
    """Where numbers that are given in the order of occurrence occur first."""
    highest = np.maximum.accumulate(codes)
    return np.append(0, np.flatnonzero(highest[1:] != highest[:-1]) + 1)


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
