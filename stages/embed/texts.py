"""The distinct texts of a catalogue's views, and which row holds which."""

import difflib
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

Index = npt.NDArray[np.int64]


@dataclass(frozen=True)
class DistinctTexts:
    """Each text once, over all views.

    Attributes:
        texts: the T distinct texts, as a large_string array.
        rows: per view, (N,) the place of each item's text in ``texts``, -1 where the item has none.
    """

    texts: pa.LargeStringArray
    rows: Mapping[str, Index]


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


def collect(path: Path, views: Sequence[str]) -> DistinctTexts:
    """Read the views and bring equal texts together; null and blank texts count as none.

    Raises:
        DataError: when the file is damaged or breaks the contract.
    """
    columns: list[pa.ChunkedArray] = []
    with open_table(path) as file:
        items = check_item_numbers(file, path)
        for view in views:
            column = file.read(columns=[view])[view].cast(pa.large_string())
            blank = pc.equal(pc.utf8_trim_whitespace(column), "")
            columns.append(pc.if_else(blank, pa.scalar(None, pa.large_string()), column))
    if not items:
        raise DataError(f"{path} holds no items", "Run `cocorec preprocess` on a log that has some.")
    chunks = [chunk for column in columns for chunk in column.chunks]
    encoded = pa.chunked_array(chunks, pa.large_string()).dictionary_encode().unify_dictionaries()
    texts = encoded.chunk(0).dictionary
    places = np.concatenate([chunk.indices.fill_null(-1).to_numpy() for chunk in encoded.chunks]).astype(np.int64)
    return DistinctTexts(texts, {view: places[i * items : (i + 1) * items] for i, view in enumerate(views)})
