"""``items.parquet``: the items in the order of their numbers, with their cleaned texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from stages.artifacts.items import items_schema
from stages.artifacts.lineage import Lineage
from stages.artifacts.names import Columns
from stages.artifacts.tables import table_writer
from stages.preprocess.columns import ID
from stages.preprocess.items.item_table import ItemTable
from stages.preprocess.items.known import KnownItems
from stages.preprocess.items.text import clean

ROW_GROUP = 65_536
"""Rows per row group: long descriptions of so many items fit in memory many times over."""


@dataclass(frozen=True)
class Described:
    """The catalogue with its texts.

    Attributes:
        frame: ``item``, ``item_id`` and the views that at least one item has.
        empty: the views that none has.
        remembered: how many items have the texts of the earlier catalogue, because the item metadata lacks them.
    """

    frame: pl.DataFrame
    empty: list[str]
    remembered: int = 0


def describe(
    item_ids: pl.Series, items: ItemTable | None, views: Sequence[pl.Expr], known: KnownItems | None = None
) -> Described:
    """Put the items in the order of their numbers, texts cleaned.

    Args:
        item_ids: (N,) string.
        items: the texts of those that have any, ``None`` without item metadata.
        views: named expressions of the columns of ``items``.
        known: an earlier catalogue, which has the texts of items that the item metadata lacks; without item metadata
            its views are kept.
    """
    frame = pl.DataFrame({Columns.ITEM_ID: item_ids}).with_row_index(Columns.ITEM, offset=1)
    frame = frame.with_columns(pl.col(Columns.ITEM).cast(pl.Int32))
    remembered = None if known is None else known.frame
    if items is not None:
        texts = items.frame.select(ID, *(clean(pl.col(view)).alias(view) for view in items.views))
        texts = texts.select(ID, *views)
        frame = frame.join(texts, left_on=Columns.ITEM_ID, right_on=ID, how="left", maintain_order="left")
        if remembered is not None:
            remembered = remembered.filter(~pl.col(Columns.ITEM_ID).is_in(items.frame[ID].implode()))
            shared = [view for view in texts.columns[1:] if view in remembered.columns]
            frame = frame.update(remembered.select(Columns.ITEM_ID, *shared), on=Columns.ITEM_ID, how="left")
    elif remembered is not None:
        frame = frame.join(remembered, on=Columns.ITEM_ID, how="left", maintain_order="left")
    empty = [view for view in frame.columns[2:] if frame[view].null_count() == frame.height]
    return Described(frame.drop(empty), empty, 0 if remembered is None else remembered.height)


def write_items(path: Path, frame: pl.DataFrame, lineage: Lineage) -> None:
    """Write ``items.parquet``.

    Args:
        path: of the file.
        frame: as :func:`describe` made it.
        lineage: of the file.
    """
    schema = items_schema(frame.columns[2:])
    with table_writer(path, schema) as writer:
        for start in range(0, frame.height, ROW_GROUP):
            writer.write(frame.slice(start, ROW_GROUP).to_arrow().cast(schema))
        writer.set_lineage(lineage)
