"""The distinct texts of a catalogue's views, and which row holds which."""

import difflib
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.items import check_item_numbers, item_views
from stages.artifacts.tables import open_table
from stages.embed.text_file import TextFile

Index = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.int32]
Digests = npt.NDArray[np.uint64]

_ROWS = 16_384
"""Rows read at once: descriptions of some kilobytes each take tens of megabytes."""


@dataclass(frozen=True)
class DistinctTexts:
    """Each text once, over all views, in the order of the file.

    Attributes:
        digests: (T, 2) uint64, 128 bits of each text's BLAKE2b.
        starts, ends: (T,) where each text lies in ``text_file``.
        text_file: the texts.
        rows: per view, (N,) int32 number of each item's text, -1 where the item has none.
    """

    digests: Digests
    starts: Index
    ends: Index
    text_file: TextFile
    rows: Mapping[str, Numbers]

    def __len__(self) -> int:
        return len(self.starts)

    def take(self, numbers: Index) -> list[str]:
        """The texts of these numbers.

        Raises:
            DataError: when they cannot be read back.
        """
        bounds = zip(self.starts[numbers].tolist(), self.ends[numbers].tolist(), strict=True)
        return [self.text_file.read(start, end) for start, end in bounds]


def choose_views(path: Path, asked: Sequence[str] | None) -> list[str]:
    """The views to embed, in the order asked; all in the file where none are asked for.

    Raises:
        UsageError: naming the views there are, when one asked for is not among them or is named twice.
        DataError: when ``items.parquet`` is missing, damaged or holds no view.
    """
    there = item_views(path)
    if not there:
        raise DataError(f"{path} holds no text view", "Run `cocorec preprocess` with --items and --views.")
    if asked is None:
        return there
    if not asked:
        raise UsageError("no view to embed", f"Name some with --views; there are {', '.join(there)}.")
    for view in asked:
        if view not in there:
            close = difflib.get_close_matches(view, there, 1)
            guess = f" Did you mean {close[0]!r}?" if close else ""
            raise UsageError(f"{path} has no view {view!r}", f"There are {', '.join(there)}.{guess}")
    repeated = sorted({view for view in asked if list(asked).count(view) > 1})
    if repeated:
        raise UsageError(f"view {repeated[0]!r} is named twice", "Name each view of --views once.")
    return list(asked)


def collect(path: Path, views: Sequence[str], text_file: TextFile) -> DistinctTexts:
    """Read the views in chunks of rows and bring equal texts together; null and blank texts count as none.

    Texts are told apart by 128 bits of a cryptographic hash.

    Args:
        path: ``items.parquet``.
        views: columns.
        text_file: where the texts are kept; still empty.

    Raises:
        DataError: when the file is damaged or breaks the contract, or the texts cannot be written.
    """
    digests: list[Digests] = []
    entries: dict[str, Numbers] = {}
    count = 0
    with open_table(path) as file:
        items = check_item_numbers(file, path)
        if not items:
            raise DataError(f"{path} holds no items", "Run `cocorec preprocess` on a log that has some.")
        for view in views:
            parts = [np.zeros(0, np.int32)]
            for batch in file.iter_batches(_ROWS, columns=[view]):
                column = batch.column(0).cast(pa.large_string())
                blank = pc.equal(pc.utf8_trim_whitespace(column), "")
                encoded = pc.if_else(blank, pa.scalar(None, pa.large_string()), column).dictionary_encode()
                texts = [text.encode() for text in encoded.dictionary.to_pylist()]
                text_file.append(texts)
                digests.append(_digests(texts))
                parts.append(pc.add(encoded.indices, count).fill_null(-1).to_numpy().astype(np.int32))
                count += len(texts)
            entries[view] = np.concatenate(parts)
    # So far a text was brought together with equal texts of the same chunk alone.
    joined = np.concatenate([np.zeros((0, 2), np.uint64), *digests])
    digests.clear()
    first, number_of = _first_of_equals(joined)
    missing_last = np.append(number_of, np.int32(-1))
    rows = {view: missing_last[found] for view, found in entries.items()}
    bounds = text_file.finish()
    return DistinctTexts(joined[first], bounds[first], bounds[first + 1], text_file, rows)


def _digests(texts: Sequence[bytes]) -> Digests:
    joined = b"".join(hashlib.blake2b(text, digest_size=16).digest() for text in texts)
    return np.frombuffer(joined, "<u8").reshape(-1, 2)


def _first_of_equals(digests: Digests) -> tuple[Numbers, Numbers]:
    """Where each distinct digest comes first, ascending (T,), and the number of each one's (entries,)."""
    order = np.lexsort((digests[:, 1], digests[:, 0])).astype(np.int32)  # stable: of equals the first stays first
    changes = np.ones(len(order), np.bool_)
    for half in digests.T:
        ordered = half[order]
        changes[1:] &= ordered[1:] == ordered[:-1]
    np.logical_not(changes[1:], out=changes[1:])
    first = np.sort(order[changes])
    number_of = np.empty(len(order), np.int32)
    number_of[order] = np.searchsorted(first, order[changes]).astype(np.int32)[np.cumsum(changes, dtype=np.int32) - 1]
    return first, number_of
