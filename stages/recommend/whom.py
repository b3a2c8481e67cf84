"""Who is served: all users of the log, those of a file, or some of them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stages.artifacts.errors import DataError
from stages.artifacts.histories import read_histories
from stages.artifacts.names import HISTORIES, Columns
from stages.frame.run import StageRun
from stages.recommend.files import Readers, read_ids, require_readers
from stages.recommend.items import Items, Numbers
from stages.recommend.options import RecommendOptions

_NAMED = 5


@dataclass(frozen=True)
class Served:
    """Users and their histories.

    Attributes:
        user_ids: (U,) string.
        items: (interactions,) int32 item numbers, user after user, oldest first; 0 for an item that is not known.
        offsets: (U + 1,) user u owns ``items[offsets[u]:offsets[u + 1]]``.
        facts: what was left out, as JSON values.
    """

    user_ids: pa.ChunkedArray
    items: Numbers
    offsets: npt.NDArray[np.int64]
    facts: dict[str, Any]

    def part(self, low: int, high: int) -> tuple[Numbers, npt.NDArray[np.int64]]:
        """Items and offsets of the users from ``low`` to before ``high``."""
        offsets = self.offsets[low : high + 1]
        return self.items[offsets[0] : offsets[-1]], offsets - offsets[0]


def find_served(
    options: RecommendOptions,
    run: StageRun,
    items: Items,
    histories: Path | None,
    usual: Mapping[str, str],
    readers: Readers | None,
) -> Served:
    """Read the histories of those who are to be served.

    Args:
        options: which users.
        run: of the stage.
        items: of the catalogue.
        histories: a file of histories; ``None`` for ``histories.parquet``.
        usual: the columns that ``preprocess`` read.
        readers: of logs and tables.

    Raises:
        UsageError: when readers are needed and not there.
        DataError: when a file is missing or malformed, or no user is left.
    """
    if histories is None:
        found = read_histories(run.path(HISTORIES), items=len(items))
        served = Served(found.user_ids, found.items, found.offsets, {})
    else:
        served = _from_file(options, run, items, histories, usual, readers)
    if options.users:
        served = _chosen(options, run, served, usual, readers)
    if not len(served.user_ids):
        raise DataError(f"{histories or run.path(HISTORIES)} holds no user", "There is nobody to serve.")
    return served


def users_file(options: RecommendOptions) -> Path | None:
    """The file that ``--users`` names, if it names one."""
    alone = len(options.users) == 1 and Path(options.users[0]).is_file()
    return Path(options.users[0]) if alone else None


def _from_file(
    options: RecommendOptions,
    run: StageRun,
    items: Items,
    path: Path,
    usual: Mapping[str, str],
    readers: Readers | None,
) -> Served:
    columns = {name: getattr(options, name) for name in ("user_column", "item_column", "time_column")}
    reading = require_readers(readers, "--histories").read_named_histories
    found = reading(path, run.workdir, columns=columns, usual=usual, reporter=run.reporter)
    numbers = np.concatenate([[0], items.numbers(found.item_ids, "--histories")]).astype(np.int32)
    known = numbers[found.histories.items]
    facts: dict[str, Any] = {
        "dropped": [{"reason": reason, "count": count} for reason, count in found.dropped.items() if count],
        "interactions_with_unknown_items": int((known == 0).sum()),
    }
    return Served(found.histories.user_ids, known, found.histories.offsets, facts)


def _chosen(
    options: RecommendOptions, run: StageRun, served: Served, usual: Mapping[str, str], readers: Readers | None
) -> Served:
    """The users that are asked for, in the order in which they stand."""
    path = users_file(options)
    if path is None:
        wanted = pa.array(options.users, pa.string())
    else:
        columns = [options.user_column] if options.user_column else [Columns.USER_ID]
        columns += [usual["user_column"]] if "user_column" in usual and not options.user_column else []
        wanted = read_ids(path, run.workdir, columns, "--users", readers)
    wanted = pc.unique(wanted)
    unknown = wanted.filter(pc.invert(pc.is_in(wanted, value_set=pc.unique(served.user_ids))))
    told = ", ".join(unknown[:_NAMED].to_pylist())
    if len(unknown) == len(wanted):
        raise DataError(
            f"--users: none of the {len(wanted):,} has a history, such as {told}", "Users are named by their ids."
        )
    if len(unknown):
        run.warn(f"--users: {len(unknown):,} of {len(wanted):,} have no history and get nothing, such as {told}")
    rows = np.flatnonzero(pc.is_in(served.user_ids, value_set=wanted).to_numpy())
    lengths = np.diff(served.offsets)[rows]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    places = np.arange(offsets[-1]) + np.repeat(served.offsets[rows] - offsets[:-1], lengths)
    facts = {**served.facts, "users_without_history": len(unknown)}
    return replace(
        served, user_ids=served.user_ids.take(pa.array(rows)), items=served.items[places], offsets=offsets, facts=facts
    )
