"""Item metadata as every reader hands it over, and the choice of the rows that are needed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import polars as pl

from stages.artifacts.errors import DataError, UsageError
from stages.frame.reporter import Reporter
from stages.preprocess.columns import ID, ROW
from stages.preprocess.sources.formats import Format
from stages.preprocess.sources.sample import Sample, file_names

_ID_COLUMNS = ("item_id", "parent_asin", "asin", "movieId", "id")


@dataclass(frozen=True)
class Wanted:
    """Which items are described.

    Attributes:
        ids: the items of the log.
        cold: all other items of the item metadata as well.
    """

    ids: pl.Series
    cold: bool = False


@dataclass(frozen=True)
class ItemTable:
    """Texts of the wanted items.

    Attributes:
        frame: ``ID`` (string, each once) and one string column per view, not cleaned yet.
        views: the names of the views, in order.
        unused: rows of items that are not wanted.
        repeated: further rows of items that had a row before; the first is kept.
    """

    frame: pl.DataFrame
    views: list[str]
    unused: int
    repeated: int


class ItemReader(Format, Protocol):
    """One format of item metadata. A new format is one such object, listed in ``items.readers.ITEM_READERS``."""

    def views(self, samples: list[Sample], id_column: str, wanted: Sequence[str] | None) -> list[str]:
        """The views that will be read: the wanted ones, or all that the files have.

        Raises:
            UsageError: when a wanted view does not exist, naming those that do.
            DataError: when a file is malformed.
        """
        ...

    def read(
        self, samples: list[Sample], id_column: str, views: list[str], wanted: Wanted, reporter: Reporter
    ) -> ItemTable:
        """Read the texts of the wanted items.

        Raises:
            DataError: when a file is malformed or none of the items is in it.
        """
        ...


def choose_id_column(samples: list[Sample], wanted: str | None, item_column: str) -> str:
    """The column of the item metadata that holds the items' ids: the wanted one, the log's, or a usual name.

    Raises:
        DataError: when a file lacks it.
    """
    columns = samples[0].columns
    found = next((name for name in (item_column, *_ID_COLUMNS) if name in columns), item_column)
    for sample in samples:
        sample.require(wanted or found, "--items-id-column")
    return wanted or found


def check_views(wanted: Sequence[str], available: Sequence[str], files: Sequence[Sample]) -> list[str]:
    """The wanted views, if all of them can be read.

    Raises:
        UsageError: when one does not exist, is named twice.
    """
    unknown = [view for view in wanted if view not in available]
    if unknown:
        raise UsageError(
            f"{file_names(files)}: there is no view {', '.join(map(repr, unknown))}",
            f"Choose from {', '.join(available)}; see --views and --view-template.",
        )
    if len(set(wanted)) < len(wanted):
        raise UsageError(f"--views names a view twice: {','.join(wanted)}", "Name each view once.")
    return list(wanted)


def choose_rows(
    ids: pl.DataFrame, wanted: Wanted, samples: Sequence[Sample], id_column: str
) -> tuple[pl.DataFrame, int, int]:
    """The first row of every wanted item.

    Args:
        ids: ``ROW`` and ``ID`` of all rows, in file order.

    Returns:
        ``ROW`` and ``ID`` of the rows to read, how many rows are of other items, how many are repetitions.

    Raises:
        DataError: when there is no row at all, or none belongs to an item of the log.
    """
    files = ", ".join(str(sample.path) for sample in samples)
    if not ids.height:
        raise DataError(f"{files} holds no item", "Check that the file was downloaded or exported in full.")
    known = ids.filter(pl.col(ID).is_in(wanted.ids.implode()))
    if not known.height:
        raise DataError(
            f"{files}: none of the {ids.height:,} rows describes an item of the log; column {id_column!r} holds "
            f"ids such as {ids[ID].drop_nulls().head(1).to_list()}, the log {wanted.ids.head(1).to_list()}",
            "Name the column that holds the items' ids with --items-id-column, or give the item metadata of this log.",
        )
    if wanted.cold:  # a second header in the middle of a file is no item
        known = ids.filter(pl.col(ID).replace("", None).is_not_null() & (pl.col(ID) != id_column))
    first = known.unique(ID, keep="first", maintain_order=True)
    return first.select(ROW, ID), ids.height - known.height, known.height - first.height
