"""From the log as read to filtered interactions with numbered users and items."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from stages.artifacts.errors import DataError
from stages.preprocess.columns import ITEM, PART, TIME, USER
from stages.preprocess.histories.grouping import group_by_user
from stages.preprocess.histories.k_core import k_core
from stages.preprocess.histories.numbering import Codes, encode, numbers_in, ranks, renumber
from stages.preprocess.histories.order import backwards, first_of_equals, mostly, move_runs, one_of_repeats, run_starts
from stages.preprocess.logs.log import Log
from stages.preprocess.options import ALL

REPEATED = "further interactions of a user with an item"
"""Why interactions are dropped with ``--repeats``."""


@dataclass(frozen=True)
class Interactions:
    """What is left of the log, user after user, oldest first.

    Attributes:
        users: (interactions,) user of each interaction, 0..U-1 in byte order of the ids, ascending.
        items: (interactions,) item number 1..N, in byte order of the ids unless a catalogue gave them theirs.
        times: (interactions,) when it happened; masked where unknown.
        parts: (interactions,) 0 training, 1 validation, 2 test of a published split, else ``None``.
        user_ids: (U,) string.
        item_ids: (N,) string.
        dropped: how many interactions were left out, by reason.
        rounds: rounds of k-core filtering.
        ties: of the log, how many interactions have user and time of another that stands before them in the file.
        newest_first: the log has each user's newest interactions first.
        outside_core: how many ``users`` and ``items`` of the log have no interaction in the k-core.
    """

    users: npt.NDArray[np.int64]
    items: npt.NDArray[np.int32]
    times: pl.Series
    parts: npt.NDArray[np.int8] | None
    user_ids: pl.Series
    item_ids: pl.Series
    dropped: dict[str, int]
    rounds: int
    ties: int = 0
    newest_first: bool = False
    outside_core: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Grouped:
    """The rows of a log put together by user, oldest first, repeated rows once.

    Attributes:
        users: (rows,) user of each, numbered from 0 as they come.
        items: (rows,) number of the item, an index into ``item_ids``.
        rows: (rows,) where each stands in the log.
        item_ids: (I,) string, distinct, in the order in which they first occur in the log.
        dropped: how many rows were left out so far, by reason.
        ties: how many have user and time of another that stands before them in the file.
        backwards: how many stand before the user's next older one in the file, and how many have such a neighbour.
    """

    users: Codes
    items: Codes
    rows: npt.NDArray[np.int64]
    item_ids: pl.Series
    dropped: dict[str, int]
    ties: int
    backwards: tuple[int, int]

    @property
    def newest_first(self) -> bool:
        """The log has each user's newest interactions first, as far as that matters."""
        return bool(self.ties) and mostly(*self.backwards)


def grouped(log: Log) -> Grouped:
    """Put the log together by user and drop repeated rows; equal times keep the order of the file.

    Raises:
        DataError: when the log is empty.
    """
    dropped = dict(log.dropped)
    if not log.frame.height:
        raise nothing_left(dropped)
    # Without times a repeated row may be a repeated purchase; with them it is the same event twice.
    timed = log.has_times and not log.published_split
    with ThreadPoolExecutor(1) as pool:
        numbered = pool.submit(encode, log.frame[ITEM])
        times = _comparable(log.frame[TIME]) if timed else np.arange(log.frame.height)
        rows, users, tied = group_by_user(log.frame[USER], times)
        items, item_ids = numbered.result()
    items = items[rows]
    ties, counts = 0, (0, 0)
    if timed:
        first = first_of_equals(tied, items)
        dropped["repeated rows (user, item and time)"] = len(rows) - int(first.sum())
        if not first.all():
            users, items, rows, tied = users[first], items[first], rows[first], tied[first]
        ties = int(tied.sum())
        counts = backwards(users, rows, tied)
    return Grouped(users, items, rows, item_ids, dropped, ties, counts)


def nothing_left(dropped: Mapping[str, int]) -> DataError:
    """The error that no interaction is left of a log, of which so many were dropped by reason."""
    gone = ", ".join(f"{count:,} {reason}" for reason, count in dropped.items() if count)
    return DataError("no interaction is left of the log", f"Dropped were {gone or 'none'}.")


def no_core(k: int, rows: int, users: int, items: int) -> DataError:
    """The error that the k-core of so many interactions, users and items is empty."""
    return DataError(
        f"no interaction is left: no users and items have {k} interactions each with one another "
        f"({rows:,} interactions of {users:,} users and {items:,} items)",
        "Lower --k-core, or turn the filter off with --k-core 0.",
    )


def outside_core(k: int) -> str:
    """Why interactions are dropped by the k-core filter."""
    return f"interactions outside the {k}-core"


def filter_log(log: Log, found: Grouped, k: int, repeats: str = ALL) -> Interactions:
    """Drop what is outside the k-core, number users and items in byte order of their ids, and sort.

    Args:
        log: the log as read.
        found: its rows by user.
        k: the least number of interactions of a user and of an item; 0 and 1 keep all.
        repeats: ``first`` or ``last`` of a user's interactions with one item, or ``all``.

    Raises:
        DataError: when no interaction is left.
    """
    users, items, rows, item_ids = found.users, found.items, found.rows, found.item_ids
    dropped = dict(found.dropped)
    if repeats != ALL:
        kept = one_of_repeats(users, items, repeats)
        dropped[REPEATED] = len(rows) - int(kept.sum())
        users, items, rows = users[kept], items[kept], rows[kept]
    rounds, before = 0, {"users": len(run_starts(users)), "items": item_ids.len()}
    if k > 1:
        mask, rounds = k_core(users, items, k)
        if not mask.any():
            raise no_core(k, len(rows), int(users[-1]) + 1, item_ids.len())
        dropped[outside_core(k)] = len(rows) - int(mask.sum())
        if not mask.all():
            users, items, rows = users[mask], items[mask], rows[mask]
    # Only ids that are left are put in order: of a large log most are not.
    with ThreadPoolExecutor(1) as pool:
        ordered = pool.submit(lambda: ranks(log.frame[USER].gather(rows[run_starts(users)])))
        compact, item_ids = renumber(items, item_ids)
        places, item_ids = ranks(item_ids)
        numbers = (places.astype(np.int32) + 1)[compact]
        when = gather_times(log.frame[TIME], rows)
        places, user_ids = ordered.result()
    moved, owners = move_runs(users, places)
    outside = {"users": before["users"] - user_ids.len(), "items": before["items"] - item_ids.len()}
    parts = log.frame[PART].to_numpy()[rows[moved]] if log.published_split else None
    return Interactions(
        owners,
        numbers[moved],
        gather_times(when, moved),
        parts,
        user_ids,
        item_ids,
        dropped,
        rounds,
        found.ties,
        found.newest_first,
        outside,
    )


def gather_times(times: pl.Series, rows: npt.NDArray[np.int64]) -> pl.Series:
    """Times in another order; numpy has no check of each place to make."""
    return times.gather(rows) if times.null_count() else pl.Series(times.name, times.to_numpy()[rows])


def _comparable(times: pl.Series) -> npt.NDArray[np.int64]:
    """Times, those that are unknown before all others."""
    return times.fill_null(np.iinfo(np.int64).min).to_numpy()


def subset(interactions: Interactions, kept: npt.NDArray[np.bool_], reason: str) -> Interactions:
    """Leave out the other interactions, count them under ``reason``, and number users and items anew."""
    if kept.all():
        return interactions
    users, user_ids = renumber(interactions.users[kept], interactions.user_ids)
    items, item_ids = renumber(interactions.items[kept] - 1, interactions.item_ids)
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


def with_catalogue(interactions: Interactions, item_ids: pl.Series) -> Interactions:
    """Number the items as they stand in a catalogue of distinct ids (N,), which holds them all and maybe others."""
    numbers = numbers_in(item_ids, interactions.item_ids)
    return replace(interactions, items=numbers[interactions.items - 1], item_ids=item_ids)
