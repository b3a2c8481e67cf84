"""The two artifacts of the stage as tables."""

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl
import pyarrow as pa

from stages.artifacts.items import items_schema
from stages.artifacts.names import Columns
from stages.artifacts.sequences import SEQUENCES_SCHEMA
from stages.preprocess.catalogue.base import Catalogue
from stages.preprocess.columns import ID
from stages.preprocess.interactions import Interactions
from stages.preprocess.split import Split
from stages.preprocess.text import clean

ROW_GROUP = 65_536
"""Rows per row group: long descriptions of so many items fit in memory many times over."""


def items_frame(
    item_ids: pl.Series, catalogue: Catalogue | None, views: Sequence[pl.Expr]
) -> tuple[pl.DataFrame, list[str]]:
    """The catalogue in the order of the item numbers, texts cleaned.

    Args:
        views: named expressions of the catalogue's columns.

    Returns:
        ``item``, ``item_id`` and the views that at least one item has; and the views that none has.
    """
    frame = pl.DataFrame({Columns.ITEM_ID: item_ids}).with_row_index(Columns.ITEM, offset=1)
    frame = frame.with_columns(pl.col(Columns.ITEM).cast(pl.Int32))
    if catalogue is None:
        return frame, []
    texts = catalogue.frame.select(ID, *(clean(pl.col(view)).alias(view) for view in catalogue.views))
    texts = texts.select(ID, *views)
    frame = frame.join(texts, left_on=Columns.ITEM_ID, right_on=ID, how="left", maintain_order="left")
    empty = [view for view in texts.columns[1:] if frame[view].null_count() == frame.height]
    return frame.drop(empty), empty


def items_tables(frame: pl.DataFrame) -> Iterator[pa.Table]:
    """``items.parquet`` piece by piece."""
    schema = items_schema(frame.columns[2:])
    for start in range(0, frame.height, ROW_GROUP):
        yield frame.slice(start, ROW_GROUP).to_arrow().cast(schema)


def sequences_tables(interactions: Interactions, split: Split) -> Iterator[pa.Table]:
    """``sequences.parquet`` piece by piece, users in byte order of their ids.

    Times of a user are null when one of them is unknown.
    """
    times = interactions.times.fill_null(0).to_numpy()
    unknown = np.bincount(interactions.users[interactions.times.is_null().to_numpy()], minlength=len(split.train_end))
    for start in range(0, len(split.train_end), ROW_GROUP):
        stop = min(start + ROW_GROUP, len(split.train_end))
        first, last = split.offsets[start], split.offsets[stop]
        offsets = pa.array((split.offsets[start : stop + 1] - first).astype(np.int32))
        mask = pa.array(unknown[start:stop] > 0)
        columns = [
            interactions.user_ids.slice(start, stop - start).to_arrow().cast(pa.string()),
            pa.ListArray.from_arrays(offsets, pa.array(interactions.items[first:last])),
            pa.ListArray.from_arrays(offsets, pa.array(times[first:last]), mask=mask),
            pa.array(split.train_end[start:stop].astype(np.int32)),
            pa.array(split.valid_end[start:stop].astype(np.int32)),
        ]
        yield pa.table(columns, schema=SEQUENCES_SCHEMA)
