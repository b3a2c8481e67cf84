"""Writes what an evaluation found: a rank for each target, a list for each user."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from stages.artifacts.lineage import Lineage
from stages.artifacts.lists import write_lists
from stages.artifacts.ranks import RANKS_SCHEMA
from stages.artifacts.sequences import Sequences
from stages.artifacts.tables import write_table
from stages.evaluate.measures import Integers
from stages.model.ranking import Queries, Ranking


def write_ranks(
    path: Path,
    sequences: Sequences,
    wanted: Queries,
    ranking: Ranking,
    counts: Integers,
    lineage: Lineage,
    *,
    exclude_seen: bool,
) -> None:
    """One row per target.

    Args:
        path: where the table goes.
        sequences: all users, with their ids.
        wanted: (R,) the targets.
        ranking: of the targets.
        counts: (N,) interactions of each item in training.
        lineage: of the run.
        exclude_seen: history excluded is the protocol that goes first.
    """
    protocols = [(ranking.ranks, ranking.ties), (ranking.ranks_without_seen, ranking.ties_without_seen)]
    (ranks, ties), (other_ranks, other_ties) = protocols[::-1] if exclude_seen else protocols
    columns = [
        _user_ids(sequences).take(pa.array(wanted.user)),
        wanted.target,
        ranks,
        ties,
        other_ranks,
        other_ties,
        wanted.end - wanted.first,
        counts[wanted.target - 1],
    ]
    write_table(path, pa.table(columns, names=RANKS_SCHEMA.names).cast(RANKS_SCHEMA), lineage)


def write_user_lists(
    path: Path, sequences: Sequences, wanted: Queries, ranking: Ranking, item_ids: pa.ChunkedArray, lineage: Lineage
) -> None:
    """A list per user, however many targets; none where none were asked for."""
    users, first = np.unique(wanted.user, return_index=True)
    if not ranking.items.shape[1]:
        users, first = users[:0], first[:0]
    names = _user_ids(sequences).take(pa.array(users))
    write_lists(path, names, ranking.items[first], ranking.scores[first], item_ids, lineage)


def _user_ids(sequences: Sequences) -> pa.ChunkedArray:
    assert sequences.user_ids is not None
    return sequences.user_ids.cast(pa.string())
