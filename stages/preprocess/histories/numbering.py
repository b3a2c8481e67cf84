"""Ids as numbers, so that all further work is on integers."""

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

Codes = npt.NDArray[np.uint32]

_SEEDS = 64
_ID, _NUMBER = "id", "number"
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
    keys = _eight_bytes(ids)
    order = pl.Series(keys).arg_sort().to_numpy()
    keys = keys[order]
    alike = np.append(keys[1:] == keys[:-1], False)
    alike[1:] |= alike[:-1]
    if alike.any():  # strings of several keys, sorted together, stay in the order of the keys
        among = np.flatnonzero(alike)
        order = order.copy()
        order[among] = order[among][_sorted_order(ids.gather(order[among]))]
    places = np.empty(len(ids), np.uint32)
    places[order] = np.arange(len(ids), dtype=np.uint32)
    return places, ids.gather(order)


def _eight_bytes(ids: pl.Series) -> npt.NDArray[np.uint64]:
    """The bytes after those that all strings begin with, as numbers in their order; short strings end in zeros."""
    first, last = str(ids.min()).encode(), str(ids.max()).encode()
    unlike = (place for place, (one, other) in enumerate(zip(first, last, strict=False)) if one != other)
    shared = next(unlike, min(len(first), len(last)))
    strings = ids.to_arrow().cast(pa.large_string())
    _, offsets, data = strings.buffers()
    ends = np.frombuffer(offsets, np.int64)[strings.offset : strings.offset + len(strings) + 1]
    text = np.frombuffer(data or b"", np.uint8)
    keys = np.zeros(len(ids), np.uint64)
    for place in range(shared, shared + 8):
        at = ends[:-1] + place
        keys <<= np.uint64(8)
        inside = at < ends[1:]
        if inside.all():
            keys |= text[at]
        else:
            keys[inside] |= text[at[inside]]
    return keys


def _sorted_order(ids: pl.Series) -> npt.NDArray[np.int64]:
    """The order (N,) that sorts distinct strings (N,) by their bytes."""
    ordered = ids.sort()
    order = np.empty(len(ids), np.int64)
    for seed in range(_SEEDS):
        # The same string comes at the same place in both orders of hashes, found without comparing strings again.
        order[ordered.hash(seed).arg_sort().to_numpy()] = ids.hash(seed).arg_sort().to_numpy()
        if (ids.gather(order) == ordered).all():
            return order
    raise AssertionError(_ALIKE)


def renumber(codes: npt.NDArray[Any], ids: pl.Series) -> tuple[npt.NDArray[np.int64], pl.Series]:
    """Close the gaps that filtering left in the numbers."""
    used = np.zeros(ids.len(), np.bool_)
    used[codes] = True
    return (np.cumsum(used) - 1)[codes], ids.filter(pl.Series(used))


def numbers_in(catalogue: pl.Series, ids: pl.Series) -> npt.NDArray[np.int32]:
    """The number from 1 of each id (I,) in a catalogue of distinct ids (N,); 0 for ids that it lacks."""
    known = pl.DataFrame({_ID: catalogue}).with_row_index(_NUMBER, offset=1)
    found = pl.DataFrame({_ID: ids}).join(known, on=_ID, how="left", maintain_order="left")[_NUMBER]
    return found.fill_null(0).cast(pl.Int32).to_numpy()
