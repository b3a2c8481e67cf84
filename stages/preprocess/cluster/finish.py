"""A worker's last part: the histories of a partition in the order of the users, by ranges of users, and merged."""

import bisect
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from stages.artifacts.histories import HISTORIES_SCHEMA
from stages.artifacts.names import Columns
from stages.artifacts.sequences import SEQUENCES_SCHEMA
from stages.preprocess.cluster.partition import Mask, Rest, Rows
from stages.preprocess.histories.counts import SequenceCounts
from stages.preprocess.histories.file import history_tables, sequence_tables
from stages.preprocess.histories.interactions import Interactions, gather_times
from stages.preprocess.histories.numbering import ranks, renumber
from stages.preprocess.histories.order import move_runs
from stages.preprocess.histories.split import split_of
from stages.preprocess.histories.whole import WholeLog

_NO_IDS = pl.Series([], dtype=pl.String)


def finish(
    rows: Rows,
    rest: Rest,
    learnt: Rows,
    learnt_rest: Rest,
    kept: Mask | None,
    numbers: npt.NDArray[np.int32],
    items: int,
    bounds: Sequence[str],
) -> list[Any]:
    """Number the items, split the histories and cut them into ranges of users.

    Args:
        rows, rest: all of a partition.
        learnt, learnt_rest: those that are filtered.
        kept: (rows,) which of these are kept; ``None`` for all.
        numbers: (items of the log,) in the catalogue, 0 where it lacks them.
        items: of the catalogue.
        bounds: users at which a range of them begins and the one before ends, R - 1 of them.

    Returns:
        The counts of the sequences and those of the whole histories, then R tables of sequences and R of whole
        histories.
    """
    interactions = _interactions(learnt, learnt_rest, kept, numbers)
    split = split_of(interactions)
    ranges = _ranges(interactions.user_ids, bounds)
    sequences = list(sequence_tables(interactions, split, ranges))
    log = WholeLog(rows.users, rows.items, rest.series(), rest.names(), _NO_IDS)
    histories = log.numbered(numbers)
    wholes = list(history_tables(histories, _ranges(histories.user_ids, bounds)))
    return [(SequenceCounts.of(interactions, split, items), histories.facts), *sequences, *wholes]


def _interactions(rows: Rows, rest: Rest, kept: Mask | None, numbers: npt.NDArray[np.int32]) -> Interactions:
    """The interactions that are kept, users in byte order of their ids."""
    mask = np.ones(len(rows.users), np.bool_) if kept is None else kept
    users, user_ids = renumber(rows.users[mask], rest.names())
    places, user_ids = ranks(user_ids) if user_ids.len() else (np.zeros(0, np.uint32), user_ids)
    moved, owners = move_runs(users, places)
    times = gather_times(rest.series().filter(pl.Series(mask)), moved)
    parts = None if rest.parts is None else rest.parts[mask][moved]
    return Interactions(owners, numbers[rows.items[mask]][moved], times, parts, user_ids, _NO_IDS, {}, 0)


def _ranges(user_ids: pl.Series, bounds: Sequence[str]) -> list[slice]:
    # The order of code points, by which Python compares, is that of the bytes.
    places = [0, *(bisect.bisect_left(user_ids, bound) for bound in bounds), len(user_ids)]
    return [slice(low, high) for low, high in pairwise(places)]


def merge(*tables: pa.Table) -> pa.Table:
    """The histories of a range of users out of all partitions, in byte order of the ids."""
    joined = pa.concat_tables(tables).combine_chunks()
    return joined.take(pc.sort_indices(joined[Columns.USER_ID].combine_chunks())).combine_chunks()


SCHEMAS = (SEQUENCES_SCHEMA, HISTORIES_SCHEMA)
"""Of the two kinds of tables, in the order in which :func:`finish` gives them."""
