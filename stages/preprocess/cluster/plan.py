"""How a log is divided: how many partitions, how many rows a reader holds, how many ranges of users."""

from collections.abc import Sequence

import pyarrow.parquet as pq

from stages.preprocess.sources.opened import COMPRESSED, open_bytes
from stages.preprocess.sources.sample import Sample

PARTITION = 500_000
"""Rows of a partition: a worker holds some hundred bytes of each, several times over."""

_PACKED = 5
"""How much larger a packed text is taken to be when it is unpacked."""

_LOOKED_AT = 1 << 16
_BINARY = 32
_LEAST, _MOST = 2, 1_024
_ROWS = 500_000, 4_000_000
_BLOCK = 8_192
_RANGES = 256


def partitions_of(files: Sequence[Sample]) -> int:
    """Partitions for these files, of about :data:`PARTITION` rows, whose number is guessed.

    At most 1,024, since each block of a reader is an object for every partition: those of more than some 500 million
    rows grow.
    """
    return max(_LEAST, min(_MOST, -(-sum(map(_rows, files)) // PARTITION)))


def rows_at_once(partitions: int) -> int:
    """Rows that a reader holds before it hands them on: blocks of some size, in bounded memory."""
    return max(_ROWS[0], min(_ROWS[1], partitions * _BLOCK))


def ranges_of(users: int, row_group: int) -> int:
    """Ranges of users that are merged one after the other."""
    return max(1, min(_RANGES, -(-users // row_group)))


def bounds_of(sampled: Sequence[str], ranges: int) -> list[str]:
    """Users at which ranges of about equal size begin, without the first, out of a random sample of the users."""
    ordered = sorted(set(sampled))
    places = [len(ordered) * number // ranges for number in range(1, ranges)]
    return sorted({ordered[place] for place in places if place})


def _rows(file: Sample) -> int:
    """How many rows a file may have: Parquet says it, of others the size and the length of the first lines do."""
    size = file.path.stat().st_size
    if file.kind == "parquet" and not file.copied:
        return int(pq.read_metadata(file.path).num_rows)
    if file.kind not in ("csv", "jsonl", "python"):
        return size // _BINARY
    with open_bytes(file.path) as opened:
        beginning = opened.read(_LOOKED_AT)
    packed = file.path.name.endswith(tuple(COMPRESSED))
    return size * (_PACKED if packed else 1) * beginning.count(b"\n") // max(1, len(beginning))
