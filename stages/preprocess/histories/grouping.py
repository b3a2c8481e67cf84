"""Interactions put together by user, without numbering users first."""

import numpy as np
import numpy.typing as npt
import polars as pl

from stages.preprocess.histories.numbering import Codes
from stages.preprocess.histories.order import Index, Mask, ascending, rows_of, run_starts

Hashes = npt.NDArray[np.uint64]

_SEED, _CHECK = 0, 1


def group_by_user(ids: pl.Series, times: Index) -> tuple[Index, Codes, Mask]:
    """Put the interactions of each user together, by time; equal times keep the order of the file.

    Two users are taken for one only if a hash of 64 bits agrees and of another all bits that fit beside the number of
    a row into 64, which are 40 for ten million rows.

    Args:
        ids: (rows,) string, no nulls; whose interaction it is.
        times: (rows,) any whole numbers.

    Returns:
        The rows in their new order (rows,); the users in that order, numbered from 0 as they come (rows,); and which
        rows have user and time of the row before them (rows,).
    """
    hashes, checks = ids.hash(_SEED).to_numpy(), ids.hash(_CHECK).to_numpy()
    by_time = None
    if not (times[1:] >= times[:-1]).all():  # shops write their logs in the order of time
        by_time = ascending(times)
        hashes, checks, times = hashes[by_time], checks[by_time], times[by_time]
    starts = run_starts(hashes, checks)
    if 2 * len(starts) > len(hashes):
        rows, new = _alike_together(hashes, checks)
    else:  # the rows of a user stand together already, and move together
        moved, first = _alike_together(hashes[starts], checks[starts])
        lengths = np.diff(np.append(starts, len(hashes)))[moved]
        rows = rows_of(starts[moved], lengths)
        new = np.zeros(len(hashes), np.bool_)
        new[(np.cumsum(lengths) - lengths)[first]] = True
    tied = np.zeros(len(rows), np.bool_)
    if not (times[1:] > times[:-1]).all():
        times = times[rows]
        tied[1:] = ~new[1:] & (times[1:] == times[:-1])
    return rows if by_time is None else by_time[rows], np.cumsum(new, dtype=np.uint32) - np.uint32(1), tied


def _alike_together(hashes: Hashes, checks: Hashes) -> tuple[Index, Mask]:
    """An order in which rows with the same two hashes stand together, as they come, and where other hashes begin."""
    bits = np.uint64(max(1, len(hashes) - 1).bit_length())
    # As many bits of the hash as fit beside a row's place: one sort of numbers, far faster than a table of hashes.
    packed = hashes >> bits
    packed <<= bits
    packed |= np.arange(len(hashes), dtype=np.uint64)
    packed = pl.Series(packed).sort().to_numpy()
    rows = (packed & ((np.uint64(1) << bits) - np.uint64(1))).view(np.int64)
    packed = packed >> bits
    alike = packed[1:] == packed[:-1]
    checks = checks[rows]
    same = checks[1:] == checks[:-1]
    if (alike & ~same).any():  # a few users share the bits that fitted
        group = np.append(0, np.cumsum(~alike))
        mixed = np.zeros(group[-1] + 1, np.bool_)
        mixed[group[1:][alike & ~same]] = True
        places = np.flatnonzero(mixed[group])
        apart = np.lexsort((rows[places], checks[places], group[places]))
        rows[places], checks[places] = rows[places][apart], checks[places][apart]
        same = checks[1:] == checks[:-1]
    return rows, np.append(True, ~(alike & same))
