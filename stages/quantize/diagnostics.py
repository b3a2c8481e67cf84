"""How well codes are used and how well they tell items apart."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa


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
