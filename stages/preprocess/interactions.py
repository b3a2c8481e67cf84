"""From the log as read to filtered interactions with numbered users and items."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from stages.artifacts.errors import DataError
from stages.preprocess.columns import ITEM, PART, ROW, TIME, USER
from stages.preprocess.k_core import k_core
from stages.preprocess.log import Log


@dataclass(frozen=True)
class Interactions:
    """What is left of the log, user after user, oldest first.

    Attributes:
        users: (interactions,) user of each interaction, 0..U-1 in byte order of the ids, ascending.
        items: (interactions,) item number 1..N in byte order of the ids.
        times: (interactions,) when it happened; masked where unknown.
        parts: (interactions,) 0 training, 1 validation, 2 test of a published split, else ``None``.
        user_ids: (U,) string.
        item_ids: (N,) string.
        dropped: how many interactions were left out, by reason.
        rounds: rounds of k-core filtering.
    """

    users: npt.NDArray[np.int64]
    items: npt.NDArray[np.int32]
    times: pl.Series
    parts: npt.NDArray[np.int8] | None
    user_ids: pl.Series
    item_ids: pl.Series
    dropped: dict[str, int]
    rounds: int


def filter_log(log: Log, k: int) -> Interactions:
    """Drop repeated rows and what is outside the k-core, number users and items, and sort.

    Equal times keep the order of the file.

    Args:
        log: the log as read.
        k: the least number of interactions of a user and of an item; 0 and 1 keep all.

    Raises:
        DataError: when no interaction is left.
    """
    dropped = dict(log.dropped)
    frame, user_ids, item_ids = _encode(log.frame.with_row_index(ROW))
    if not frame.height:
        raise DataError("no interaction is left of the log", f"Rows dropped: {dropped}.")
    if log.has_times and not log.published_split:
        # Without times a repeated row may be a repeated purchase; with them it is the same event twice.
        kept = frame.unique([USER, ITEM, TIME], keep="first", maintain_order=True)
        dropped["repeated rows (user, item and time)"] = frame.height - kept.height
        frame = kept
    rounds = 0
    if k > 1:
        mask, rounds = k_core(frame[USER].to_numpy(), frame[ITEM].to_numpy(), k)
        if not mask.any():
            raise DataError(
                f"no interaction is left: no users and items have {k} interactions each with one another "
                f"({frame.height:,} interactions of {user_ids.len():,} users and {item_ids.len():,} items)",
                "Lower --k-core, or turn the filter off with --k-core 0.",
            )
        dropped[f"interactions outside the {k}-core"] = frame.height - int(mask.sum())
        frame = frame.filter(pl.Series(mask))
    order = [USER, ROW] if log.published_split or not log.has_times else [USER, TIME, ROW]
    frame = frame.sort(order)
    users, user_ids = _renumber(frame[USER].to_numpy(), user_ids)
    items, item_ids = _renumber(frame[ITEM].to_numpy(), item_ids)
    parts = frame[PART].to_numpy() if log.published_split else None
    return Interactions(users, (items + 1).astype(np.int32), frame[TIME], parts, user_ids, item_ids, dropped, rounds)


def subset(interactions: Interactions, kept: npt.NDArray[np.bool_], reason: str) -> Interactions:
    """Leave out the other interactions, count them under ``reason``, and number users and items anew."""
    if kept.all():
        return interactions
    users, user_ids = _renumber(interactions.users[kept], interactions.user_ids)
    items, item_ids = _renumber(interactions.items[kept] - 1, interactions.item_ids)
    return replace(
        interactions,
        users=users,
        items=(items + 1).astype(np.int32),
        times=interactions.times.filter(pl.Series(kept)),
        parts=None if interactions.parts is None else interactions.parts[kept],
        user_ids=user_ids,
        item_ids=item_ids,
        dropped={**interactions.dropped, reason: int((~kept).sum())},
    )


def sample_users(interactions: Interactions, number: int, seed: int) -> Interactions:
    """Keep ``number`` users drawn without replacement, with all that is theirs; fewer users are all kept."""
    users = interactions.user_ids.len()
    if number >= users:
        return interactions
    chosen = np.zeros(users, np.bool_)
    chosen[np.random.default_rng(seed).choice(users, number, replace=False)] = True
    return subset(interactions, chosen[interactions.users], "interactions of users outside the sample")


def add_items(interactions: Interactions, ids: pl.Series) -> Interactions:
    """Give items without interactions a number as well; ``ids`` may hold the others too."""
    everything = pl.concat([interactions.item_ids, ids]).unique().sort()
    numbers = interactions.item_ids.cast(pl.Enum(everything)).to_physical().to_numpy().astype(np.int32) + 1
    return replace(interactions, items=numbers[interactions.items - 1], item_ids=everything)


def _encode(frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series, pl.Series]:
    """Replace ids by their ranks in byte order, so that all further work is on integers."""
    ids = {}
    for column in (USER, ITEM):
        ids[column] = frame[column].unique().sort()
        # An enumeration's physical value is the position of the string among its categories.
        codes = frame[column].cast(pl.Enum(ids[column])).to_physical().cast(pl.UInt32)
        frame = frame.with_columns(codes.alias(column))
    return frame, ids[USER], ids[ITEM]


def _renumber(codes: npt.NDArray[Any], ids: pl.Series) -> tuple[npt.NDArray[np.int64], pl.Series]:
    """Close the gaps that filtering left in the numbers."""
    used = np.zeros(ids.len(), np.bool_)
    used[codes] = True
    return (np.cumsum(used) - 1)[codes], ids.filter(pl.Series(used))
