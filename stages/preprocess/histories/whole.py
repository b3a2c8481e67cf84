"""Whole histories: what each user of the log has taken of the catalogue, before users and items are filtered."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from stages.preprocess.columns import TIME, USER
from stages.preprocess.histories.interactions import Grouped, gather_times
from stages.preprocess.histories.numbering import Codes, numbers_in, ranks, renumber
from stages.preprocess.histories.order import move_runs, run_starts
from stages.preprocess.logs.log import Log


@dataclass(frozen=True)
class WholeHistories:
    """Histories of users who have at least one item of the catalogue.

    Attributes:
        user_ids: (U,) string, in byte order.
        offsets: (U + 1,) user u owns ``items[offsets[u]:offsets[u + 1]]``.
        items: (interactions,) item numbers from 1, oldest first.
        times: (interactions,) when it happened; masked where unknown.
        other_items: how many interactions are left out because their item is not in the catalogue.
    """

    user_ids: pl.Series
    offsets: npt.NDArray[np.int64]
    items: npt.NDArray[np.int32]
    times: pl.Series
    other_items: int

    @property
    def facts(self) -> dict[str, int]:
        """Counts, as JSON values."""
        return {
            "users": self.user_ids.len(),
            "interactions": len(self.items),
            "interactions_with_other_items": self.other_items,
        }


@dataclass(frozen=True)
class WholeLog:
    """All rows of a log by user, without the log's own columns of strings.

    Attributes:
        users: (rows,) user of each, from 0 as they come.
        items: (rows,) item of each, an index into ``item_ids``.
        times: (rows,) when it happened; masked where unknown.
        user_ids: string, of each user.
        item_ids: string, of each item.
    """

    users: Codes
    items: Codes
    times: pl.Series
    user_ids: pl.Series
    item_ids: pl.Series

    @classmethod
    def of(cls, log: Log, found: Grouped) -> "WholeLog":
        """Take what is needed of a log and its rows by user."""
        user_ids = log.frame[USER].gather(found.rows[run_starts(found.users)])
        return cls(found.users, found.items, gather_times(log.frame[TIME], found.rows), user_ids, found.item_ids)

    def histories(self, catalogue: pl.Series) -> WholeHistories:
        """What the users have taken of the catalogue.

        Args:
            catalogue: (N,) ids of the items 1..N.
        """
        return self.numbered(numbers_in(catalogue, self.item_ids))

    def numbered(self, numbers: npt.NDArray[np.int32]) -> WholeHistories:
        """What the users have taken of a catalogue.

        Args:
            numbers: (items,) of each item of the log, 0 where the catalogue lacks it.
        """
        items = numbers[self.items]
        kept = items > 0
        users, user_ids = renumber(self.users[kept], self.user_ids)
        places, user_ids = ranks(user_ids) if user_ids.len() else (np.zeros(0, np.uint32), user_ids)
        moved, owners = move_runs(users, places)
        offsets = np.concatenate([[0], np.cumsum(np.bincount(owners, minlength=user_ids.len()))])
        times = self.times if kept.all() else self.times.filter(pl.Series(kept))
        other = len(kept) - len(moved)
        return WholeHistories(user_ids, offsets, items[kept][moved], gather_times(times, moved), other)
