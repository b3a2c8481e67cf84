"""A worker's part of filtering: all rows of some users, from blocks as read to histories in order.

What is done with a log of one machine is done here with each partition, by the same functions; what has to be known of
the whole log comes from the driver, and goes to it as counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from stages.preprocess.cluster.blocks import added, packed, unpacked
from stages.preprocess.columns import ITEM, PART, TIME, USER
from stages.preprocess.histories.interactions import REPEATED, gather_times, grouped
from stages.preprocess.histories.numbering import Codes
from stages.preprocess.histories.order import one_of_repeats, run_starts
from stages.preprocess.histories.split import with_split_of
from stages.preprocess.logs.clock import Clock, count_units
from stages.preprocess.logs.log import Log, LogColumns, LogReader, Notes
from stages.preprocess.logs.times import Scale, scaled
from stages.preprocess.options import ALL, PreprocessOptions
from stages.preprocess.sources.ids import doubtful
from stages.preprocess.sources.sample import Sample

Mask = npt.NDArray[np.bool_]
Sparse = tuple[Codes, npt.NDArray[np.int64]]
"""Items and a count of each."""

_SAMPLED = 1_000


@dataclass(frozen=True)
class Gathered:
    """What is known of a partition of the log.

    Attributes:
        dropped: rows, by reason.
        notes: to be told.
        doubtful: see :class:`stages.preprocess.logs.log.Log`.
        timed: some have a time.
        units: of :func:`stages.preprocess.logs.clock.count_units`.
    """

    dropped: dict[str, int]
    notes: Notes
    doubtful: dict[str, dict[str, int]]
    timed: bool
    units: dict[str, int]


def gather(
    reader: LogReader,
    samples: list[Sample],
    columns: LogColumns,
    scale: Scale,
    has_times: bool,
    blocks: Sequence[Any],
) -> tuple[bytes, pa.Array, Gathered]:
    """Put the blocks of a partition together.

    Args:
        reader, samples, columns: of the log.
        scale: of all its times.
        has_times: whether any of its rows has one.
        blocks: references to the partition's blocks, in the order of the rows.

    Returns:
        The packed frame of a log; its distinct items, string; and what else is known of it.
    """
    import ray

    # One at a time: together they might not fit into the part of the memory that workers share.
    frame = pl.concat([unpacked(ray.get(block)) for block in blocks])
    frame = scaled(frame, scale, reader.with_rows(samples), columns.time)
    frame, dropped, notes = reader.put_together(frame, samples, columns, has_times)
    found = {name: words for name in (USER, ITEM) if (words := doubtful(frame[name]))}
    items = frame[ITEM].unique().to_arrow().cast(pa.large_string())
    timed = frame[TIME].null_count() < frame.height
    return packed(frame), items, Gathered(dropped, notes, found, timed, count_units(frame, scale.of_numbers))


@dataclass(frozen=True)
class Rows:
    """Interactions by user, oldest first: what k-core filtering looks at again and again.

    Attributes:
        users: (rows,) from 0 as they come.
        items: (rows,) by their place among all items of the log.
    """

    users: Codes
    items: Codes


@dataclass(frozen=True)
class Rest:
    """What else belongs to :class:`Rows`.

    Attributes:
        times: (rows,) when it happened.
        unknown: (rows,) whether that is not known; ``None`` where it is of all.
        parts: (rows,) of a published split.
        user_ids: string, packed, of each user.
    """

    times: npt.NDArray[np.int64]
    unknown: Mask | None
    parts: npt.NDArray[np.int8] | None
    user_ids: bytes

    def series(self) -> pl.Series:
        """The times, null where they are unknown."""
        times = pl.Series(TIME, self.times)
        return times if self.unknown is None else pl.select(pl.when(pl.Series(~self.unknown)).then(times)).to_series()

    def names(self) -> pl.Series:
        """The ids of the users."""
        return unpacked(self.user_ids)[USER]


@dataclass(frozen=True)
class Grouping:
    """What is known of the rows of a partition after they were put together by user.

    Attributes:
        dropped: rows, by reason.
        rows, users: how many are left.
        ties, backwards: see :class:`stages.preprocess.histories.interactions.Grouped`.
        sampled: string, some users of the partition.
    """

    dropped: dict[str, int]
    rows: int
    users: int
    ties: int
    backwards: tuple[int, int]
    sampled: list[str]


def group(
    options: PreprocessOptions,
    content: bytes,
    published_split: bool,
    has_times: bool,
    clock: Clock,
    catalogue: pa.Array,
) -> tuple[Rows, Rest, Rows | None, Rest | None, Sparse, Grouping]:
    """Put the rows of a partition together by user.

    Args:
        options: split, bounds in time and repeats.
        content: the packed frame of the log.
        published_split, has_times, clock: of the whole log.
        catalogue: string, all items of the log in byte order.

    Returns:
        All rows until ``until``; those of them that are to be filtered, ``None`` where these are all; of the latter the
        counts of the items, and what else is known.
    """
    log = with_split_of(options, Log(unpacked(content), has_times, published_split, {}))
    log = log.between(None, options.until, clock)
    whole, whole_rest, dropped, ties, backwards = _by_user(log, catalogue)
    rows, rest = whole, whole_rest
    if options.since is not None:
        log = log.between(options.since, None, clock)
        rows, rest, dropped, ties, backwards = _by_user(log, catalogue)
    if options.repeats != ALL:
        kept = one_of_repeats(rows.users, rows.items, options.repeats) if len(rows.users) else np.zeros(0, np.bool_)
        dropped[REPEATED] = int((~kept).sum())
        rows, rest = Rows(rows.users[kept], rows.items[kept]), _masked(rest, kept)
    sampled = whole_rest.names().head(_SAMPLED).to_list()
    users = len(run_starts(rows.users))
    known = counted(rows.items), Grouping(dropped, len(rows.users), users, ties, backwards, sampled)
    return (whole, whole_rest, None, None, *known) if rows is whole else (whole, whole_rest, rows, rest, *known)


def _by_user(log: Log, catalogue: pa.Array) -> tuple[Rows, Rest, dict[str, int], int, tuple[int, int]]:
    frame = log.frame
    if not frame.height:
        none = np.zeros(0, np.uint32)
        parts = np.zeros(0, np.int8) if log.published_split else None
        rest = Rest(np.zeros(0, np.int64), None, parts, packed(frame.select(USER)))
        return Rows(none, none), rest, dict(log.dropped), 0, (0, 0)
    found = grouped(log)
    places = pl.Series(catalogue).search_sorted(found.item_ids).to_numpy().astype(np.uint32)
    times = gather_times(frame[TIME], found.rows)
    unknown = times.is_null().to_numpy() if times.null_count() else None
    parts = frame[PART].to_numpy()[found.rows] if log.published_split else None
    user_ids = frame.select(pl.col(USER).gather(pl.Series(found.rows[run_starts(found.users)])))
    rest = Rest(times.fill_null(0).to_numpy(), unknown, parts, packed(user_ids))
    return Rows(found.users, places[found.items]), rest, found.dropped, found.ties, found.backwards


def _masked(rest: Rest, kept: Mask) -> Rest:
    unknown = None if rest.unknown is None else rest.unknown[kept]
    parts = None if rest.parts is None else rest.parts[kept]
    return Rest(rest.times[kept], unknown, parts, rest.user_ids)


def judge(rows: Rows, kept: Mask | None, enough: npt.NDArray[np.bool_], k: int) -> tuple[Mask, int, Sparse]:
    """One round of k-core filtering, as :func:`stages.preprocess.histories.k_core.k_core` has it.

    Args:
        rows: of a partition.
        kept: (rows,) which of them the rounds before have kept; ``None`` for all.
        enough: (items of the log,) which of them have ``k`` interactions in all partitions together.
        k: the least number of interactions of a user and of an item.

    Returns:
        Which rows are kept (rows,), how many fell away now, and of which items.
    """
    mask = np.ones(len(rows.users), np.bool_) if kept is None else kept.copy()
    users, items = rows.users[mask], rows.items[mask]
    if not len(users):
        return mask, 0, counted(items)
    stay = (np.bincount(users) >= k)[users]
    stay &= enough[items]
    mask[mask] = stay
    gone = items[~stay]
    return mask, len(gone), counted(gone)


def counted(items: Codes) -> Sparse:
    """The distinct items of some rows, and how many rows each has."""
    places, counts = np.unique(items, return_counts=True)
    return places, counts


def merged_dropped(every: Sequence[dict[str, int]]) -> dict[str, int]:
    """Counts by reason, of all partitions."""
    found: dict[str, int] = {}
    for dropped in every:
        found = added(found, dropped)
    return found
