"""Putting users' sequences together again from rows of a target and the items before it.

A row says: after ``history`` came ``item``. Files differ in how many rows they hold (one per prefix or one per user),
in the order of the rows, and in whether histories are whole or cut to the last items. Two ways cover them:

- whole histories: the longest row is the sequence, all other rows are beginnings of it;
- cut histories: from row to row the window moves by one item, so each history ends the row before it.
"""

from pathlib import Path

import polars as pl

from stages.artifacts.errors import DataError
from stages.preprocess.columns import ITEM, PART, ROW, TIME, USER

HISTORY = "history"
"""The items before the target, oldest first, separated by blanks."""

_POSITION = "position"
_PATH = "path"
_EARLIER = "earlier"


def rebuild(rows: pl.DataFrame, files: list[Path]) -> tuple[pl.DataFrame, int]:
    """Every user's items in order, with the time and the part of those that are targets.

    Args:
        rows: ``USER``, ``ITEM`` (the target), ``TIME``, ``PART``, ``HISTORY`` and ``ROW``.
        files: the file of each part, for messages.

    Returns:
        ``USER``, ``ITEM``, ``TIME`` and ``PART``, users in the order of their ids, items in the order of the history;
        and how many users have cut histories. An item that is no row's target has no time; it belongs to the part of
        the target before it, or else to training.

    Raises:
        DataError: when rows contradict each other, or parts are not in order.
    """
    rows = rows.with_columns(
        pl.when(pl.col(HISTORY) == "").then(ITEM).otherwise(pl.concat_str(HISTORY, ITEM, separator=" ")).alias(_PATH)
    ).with_columns(pl.col(_PATH).str.count_matches(" ", literal=True).alias(_POSITION))
    whole, sequences = _whole(rows)
    parts, lists, rest = [whole], [sequences], rows.join(whole, on=USER, how="anti")
    cut = rest[USER].n_unique()
    for newest_first in (False, True):
        chained, sequences = _chained(rest, newest_first)
        parts.append(chained)
        lists.append(sequences)
        rest = rest.join(chained, on=USER, how="anti")
    if rest.height:
        row = rest.row(0, named=True)
        raise DataError(
            f"{files[row[PART]]}: the histories of user {row[USER]!r} contradict each other "
            f"(see the row with target {row[ITEM]!r})",
            "A user's histories have to be beginnings of one sequence, or windows that move on by one item a row.",
        )
    targets = pl.concat(parts).unique([USER, _POSITION], keep="first", maintain_order=True)
    items = (
        pl.concat(lists)
        .sort(USER)
        .with_columns(pl.int_ranges(0, pl.col(ITEM).list.len(), dtype=pl.UInt32).alias(_POSITION))
        .explode(ITEM, _POSITION)
        .join(targets.drop(ITEM), on=[USER, _POSITION], how="left", maintain_order="left")
        .with_columns(pl.col(PART).forward_fill().over(USER).fill_null(0))
    )
    back = items.filter(pl.col(PART) < pl.col(PART).shift(1).over(USER)).head(1)
    if back.height:
        row = back.row(0, named=True)
        raise DataError(
            f"{files[row[PART]]}: item {row[ITEM]!r} of user {row[USER]!r} comes after items of a later part",
            "In every user's history training has to come before validation, and validation before test.",
        )
    return items.select(USER, ITEM, TIME, PART), cut


def _whole(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows with their target's position, and sequences, of the users whose longest row contains all others."""
    longest = (
        rows.sort([USER, _POSITION, ROW], descending=[False, True, False])
        .unique(USER, keep="first", maintain_order=True)
        .select(USER, pl.col(_PATH).alias(_EARLIER))
    )
    begins = (pl.col(_EARLIER) + " ").str.starts_with(pl.col(_PATH) + " ")
    rows = rows.join(longest, on=USER, how="left", maintain_order="left").filter(begins.all().over(USER))
    sequences = longest.join(rows, on=USER, how="semi").select(USER, pl.col(_EARLIER).str.split(" ").alias(ITEM))
    return rows.select(USER, ITEM, TIME, PART, _POSITION), sequences


def _chained(rows: pl.DataFrame, newest_first: bool) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows with their target's position, and sequences, of the users whose histories each end the row before."""
    rows = rows.sort([USER, PART, _POSITION, ROW], descending=[False, False, False, newest_first])
    rows = rows.with_columns(pl.col(_PATH).shift(1).over(USER).alias(_EARLIER))
    follows = pl.col(_EARLIER).is_null() | (" " + pl.col(_EARLIER)).str.ends_with(" " + pl.col(HISTORY))
    rows = rows.filter(follows.all().over(USER)).with_columns(
        (pl.col(_POSITION).first().over(USER) + pl.int_range(pl.len()).over(USER)).cast(pl.UInt32).alias(_POSITION)
    )
    sequences = rows.group_by(USER, maintain_order=True).agg(pl.col(HISTORY).first(), ITEM)
    before = pl.when(pl.col(HISTORY) != "").then(pl.col(HISTORY).str.split(" ")).otherwise([])
    sequences = sequences.select(USER, pl.concat_list(before, ITEM).alias(ITEM))
    return rows.select(USER, ITEM, TIME, PART, _POSITION), sequences
