"""Putting users' sequences together again from rows of a target and the items before it.

A row says: after ``history`` came ``item``. Files differ in how many rows they hold (one per prefix or one per user),
in the order of the rows, and in whether histories are whole or cut to the last items. Two ways cover them:

- whole histories: the longest row is the sequence, all other rows are beginnings of it;
- cut histories: from row to row the window moves by one item, so each history ends the row before it.
"""

from pathlib import Path

import numpy as np
import polars as pl

from stages.artifacts.errors import DataError
from stages.preprocess.columns import ITEM, PART, ROW, TIME, USER
from stages.preprocess.histories.numbering import encode, ranks
from stages.preprocess.histories.order import ascending, run_starts

HISTORY_COLUMN = "history"
"""The items before the target, oldest first, separated by blanks."""

_POSITION = "position"
_PATH = "path"
_EARLIER = "earlier"


def rebuild(rows: pl.DataFrame, files: list[Path]) -> tuple[pl.DataFrame, int]:
    """Every user's items in order, with the time and the part of those that are targets.

    Args:
        rows: ``USER``, ``ITEM`` (the target), ``TIME``, ``PART``, ``HISTORY_COLUMN`` and ``ROW``.
        files: the file of each part, for messages.

    Returns:
        ``USER``, ``ITEM``, ``TIME`` and ``PART``, users in the order of their ids, items in the order of the history;
        and how many users have cut histories. An item that is no row's target has no time; it belongs to the part of
        the target before it, or else to training.

    Raises:
        DataError: when rows contradict each other, or parts are not in order.
    """
    codes, distinct = encode(rows[USER])
    places, users = ranks(distinct)
    # A blank after each item, so that no path begins with another because of the first letters of an item.
    before = pl.when(pl.col(HISTORY_COLUMN) != "").then(HISTORY_COLUMN)
    path = pl.concat_str(before, ITEM, pl.lit(""), separator=" ", ignore_nulls=True)
    rows = rows.with_columns(pl.Series(USER, places[codes]), path.alias(_PATH))
    rows = rows.with_columns((pl.col(_PATH).str.count_matches(" ", literal=True) - 1).alias(_POSITION))
    whole, sequences, rest = _whole(rows)
    parts, lists = [whole], [sequences]
    cut = rest[USER].n_unique()
    for newest_first in (False, True):
        if rest.height:
            chained, sequences = _chained(rest, newest_first)
            parts.append(chained)
            lists.append(sequences)
            rest = rest.join(chained, on=USER, how="anti")
    if rest.height:
        row = rest.row(0, named=True)
        raise DataError(
            f"{files[row[PART]]}: the histories of user {users[row[USER]]!r} contradict each other "
            f"(see the row with target {row[ITEM]!r})",
            "A user's histories have to be beginnings of one sequence, or windows that move on by one item a row.",
        )
    items = _joined(pl.concat(lists).sort(USER), pl.concat(parts))
    back = items.filter((pl.col(PART) < pl.col(PART).shift(1)) & (pl.col(USER) == pl.col(USER).shift(1))).head(1)
    if back.height:
        row = back.row(0, named=True)
        raise DataError(
            f"{files[row[PART]]}: item {row[ITEM]!r} of user {users[row[USER]]!r} comes after items of a later part",
            "In every user's history training has to come before validation, and validation before test.",
        )
    return items.with_columns(users.gather(items[USER]).alias(USER)), cut


def _joined(sequences: pl.DataFrame, targets: pl.DataFrame) -> pl.DataFrame:
    """All items with time and part of the first target at their place; others have no time, and the part before."""
    lengths = sequences[ITEM].list.len().to_numpy().astype(np.int64)
    starts = np.cumsum(lengths) - lengths
    users = np.repeat(np.arange(len(lengths)), lengths)
    target = np.full(len(users), -1)
    slots = starts[targets[USER].to_numpy()] + targets[_POSITION].to_numpy()
    target[slots[::-1]] = np.arange(targets.height)[::-1]  # of several the last that is written stays
    known = target >= 0
    latest = np.maximum.accumulate(np.where(known, np.arange(len(users)), starts[users]))
    target_of = targets[TIME, PART][np.maximum(target, 0)]
    part = np.where(known, target_of[PART].to_numpy(), 0)[latest]
    frame = pl.DataFrame({USER: users, ITEM: sequences[ITEM].explode(), TIME: target_of[TIME], PART: part})
    return frame.with_columns(pl.when(pl.Series(known)).then(TIME).alias(TIME), pl.col(PART).cast(pl.Int8))


def _whole(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Rows and sequences of the users whose longest row contains all others, and the rows of the other users."""
    users, positions = rows[USER].to_numpy(), rows[_POSITION].to_numpy().astype(np.int64)
    order = ascending(-positions)
    order = order[ascending(users[order])]
    longest = order[run_starts(users[order])]
    paths = rows[_PATH].gather(longest)
    begins = rows.select(pl.lit(paths.gather(users)).str.starts_with(pl.col(_PATH))).to_series().to_numpy()
    whole = np.bincount(users, weights=~begins) == 0
    columns = [USER, ITEM, TIME, PART, _POSITION]
    sequences = pl.DataFrame({USER: np.arange(len(paths), dtype=np.uint32), ITEM: paths})
    split = pl.col(ITEM).str.strip_suffix(" ").str.split(" ")
    if whole.all():
        return rows.select(columns), sequences.with_columns(split), rows.clear()
    kept = pl.Series(whole[users])
    sequences = sequences.filter(pl.Series(whole)).with_columns(split)
    return rows.filter(kept).select(columns), sequences, rows.filter(~kept)


def _chained(rows: pl.DataFrame, newest_first: bool) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows with their target's position, and sequences, of the users whose histories each end the row before."""
    rows = rows.sort([USER, PART, _POSITION, ROW], descending=[False, False, False, newest_first])
    rows = rows.with_columns(pl.col(_PATH).shift(1).over(USER).alias(_EARLIER))
    follows = pl.col(_EARLIER).is_null() | (" " + pl.col(_EARLIER)).str.ends_with(" " + pl.col(HISTORY_COLUMN) + " ")
    rows = rows.filter(follows.all().over(USER)).with_columns(
        (pl.col(_POSITION).first().over(USER) + pl.int_range(pl.len()).over(USER)).cast(pl.UInt32).alias(_POSITION)
    )
    sequences = rows.group_by(USER, maintain_order=True).agg(pl.col(HISTORY_COLUMN).first(), ITEM)
    before = pl.when(pl.col(HISTORY_COLUMN) != "").then(pl.col(HISTORY_COLUMN).str.split(" ")).otherwise([])
    sequences = sequences.select(USER, pl.concat_list(before, ITEM).alias(ITEM))
    return rows.select(USER, ITEM, TIME, PART, _POSITION), sequences
