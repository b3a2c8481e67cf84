"""How well codes are used and how well they tell items apart."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_ROWS = 1_024


def position_facts(codes: npt.NDArray[np.uint16], codebook_size: int) -> dict[str, Any]:
    """How the values of one position are used by the items (N,) that have its view.

    Returns:
        ``used`` and ``dead`` values, ``utilisation`` (share used), ``entropy`` in bits, ``perplexity`` (2 to the
        entropy: as many equally frequent values would tell as much).
    """
    counts = np.bincount(codes, minlength=codebook_size)
    shares = counts[counts > 0] / max(1, len(codes))
    entropy = float(-(shares * np.log2(shares)).sum()) + 0.0
    used = len(shares)
    return {
        "dead": codebook_size - used,
        "entropy": round(entropy, 4),
        "perplexity": round(2.0**entropy, 2),
        "used": used,
        "utilisation": round(used / codebook_size, 6),
    }


def tuple_facts(rows: npt.NDArray[np.generic]) -> dict[str, Any]:
    """How well rows (N, C) tell items apart.

    Returns:
        ``distinct`` rows, ``unique`` (share of items whose row no other item has), ``largest`` (items that share the
        most frequent row).
    """
    counts = np.bincount(row_numbers(rows)) if len(rows) else np.zeros(0, np.int64)
    return {
        "distinct": len(counts),
        "largest": int(counts.max(initial=0)),
        "unique": round(float((counts == 1).sum() / max(1, len(rows))), 6),
    }


def row_numbers(rows: npt.NDArray[np.generic]) -> npt.NDArray[np.int32]:
    """A number for each row (N, C), from 0 in order of first occurrence; equal rows get the same."""
    rows = np.ascontiguousarray(rows)
    width = rows.shape[1] * rows.itemsize
    buffers = [None, pa.py_buffer(rows.reshape(-1).view(np.uint8))]
    keys = pa.Array.from_buffers(pa.binary(width), len(rows), buffers)
    numbers: npt.NDArray[np.int32] = keys.dictionary_encode().indices.to_numpy()
    return numbers


class RowKeys:
    """128 bits for each row of float32 vectors, so that equal rows can be told without keeping them.

    Two rows that differ get the same key with a probability below 1e-19: the keys are two random linear functions of
    the components' bits, modulo 2**64.
    """

    def __init__(self) -> None:
        self._keys: list[npt.NDArray[np.uint64]] = []
        self._factors = np.zeros((0, 2), np.uint64)

    def add(self, rows: npt.NDArray[np.float32]) -> None:
        """Take in rows (R, D)."""
        if len(self._factors) != rows.shape[1]:
            self._factors = np.random.default_rng(0).integers(2**64, size=(rows.shape[1], 2), dtype=np.uint64)
        keys = np.empty((len(rows), 2), np.uint64)
        for start in range(0, len(rows), _ROWS):
            part = rows[start : start + _ROWS].view(np.uint32).astype(np.uint64)
            for key, factors in enumerate(self._factors.T):
                keys[start : start + _ROWS, key] = (part * factors).sum(axis=1)
        self._keys.append(keys)

    def take(self, keys: npt.NDArray[np.uint64]) -> None:
        """Take in rows by their keys (R, 2), which another object has made."""
        self._keys.append(keys)

    def rows(self) -> npt.NDArray[np.uint64]:
        """The keys (N, 2) of all rows so far."""
        return np.concatenate([np.zeros((0, 2), np.uint64), *self._keys])
