"""The section about single users: history, what was recommended, and where the truth stood."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stages.artifacts.errors import DataError
from stages.artifacts.names import BACKTEST, METRICS, SEQUENCES, Columns
from stages.artifacts.tables import open_table, require_column
from stages.report.ranks import Ranks
from stages.report.source import Source

MOST_HISTORY = 20
"""Latest items of a history that are shown."""


@dataclass(frozen=True)
class Item:
    """An item as a reader knows it.

    Attributes:
        id: of the log.
        title: of the catalogue; ``None`` where it lacks one.
        hit: it is one of the user's targets.
        rank: where a target stood; ``None`` for others, and for a target that was not ranked.
    """

    id: str
    title: str | None
    hit: bool = False
    rank: int | None = None


@dataclass(frozen=True)
class User:
    """A user of the evaluation.

    Attributes:
        id: of the log.
        history: the latest items before the split, oldest first.
        earlier: how many items of the history came before these.
        targets: what the user took next.
        recommended: the list, best first; empty where none was made.
        best_rank: of the targets.
    """

    id: str
    history: Sequence[Item]
    earlier: int
    targets: Sequence[Item]
    recommended: Sequence[Item]
    best_rank: int


def chosen_users(ranks: Ranks, wanted: int) -> tuple[list[int], list[int]]:
    """Users at equal distances from the best rank to the worst.

    Args:
        ranks: of all targets.
        wanted: how many users; fewer where there are fewer.

    Returns:
        The number of each user as in ``ranks.users``, and the rank of the user's best target.
    """
    users = ranks.users
    best = np.full(users.max() + 1, np.iinfo(np.int64).max)
    np.minimum.at(best, users, ranks.rank)
    order = np.argsort(best, kind="stable")
    at = np.unique(np.linspace(0, len(order) - 1, min(wanted, len(order))).round().astype(np.int64))
    return order[at].tolist(), best[order[at]].tolist()


def read_users(source: Source, ranks: Ranks, wanted: int) -> list[User]:
    """Histories, lists and targets of some users.

    Args:
        source: the work directory.
        ranks: of all targets.
        wanted: how many users, see :func:`chosen_users`.

    Raises:
        DataError: when a user of the evaluation has no history, or the lists name an item that is not there.
    """
    if not wanted:
        return []
    numbers, best = chosen_users(ranks, wanted)
    encoded = ranks.user_ids.dictionary_encode()
    ids = [encoded.dictionary[number].as_py() for number in numbers]
    rows = _rows(source, ids)
    lists = _lists(source, ids)
    sequences = source.sequences
    ends = sequences.valid_end if source.told(METRICS).text("split") == "test" else sequences.train_end
    found = []
    for user_id, number, rank, row in zip(ids, numbers, best, rows, strict=True):
        start = int(sequences.offsets[row])
        history = sequences.items[start : start + int(ends[row])].astype(np.int64)
        own = np.flatnonzero(encoded.indices.to_numpy() == number)
        own = own[np.argsort(ranks.rank[own], kind="stable")]
        listed = lists.get(user_id, np.zeros(0, np.int64))
        targets = ranks.target[own]
        ranked = [int(of) if of <= len(source.item_ids) else None for of in ranks.rank[own]]
        found.append(
            User(
                user_id,
                _items(source, history[-MOST_HISTORY:]),
                max(0, len(history) - MOST_HISTORY),
                [Item(item.id, item.title, True, of) for item, of in zip(_items(source, targets), ranked, strict=True)],
                _items(source, listed, targets),
                rank,
            )
        )
    return found


def _rows(source: Source, ids: list[str]) -> list[int]:
    """Row of each user in ``sequences.parquet``."""
    known = source.sequences.user_ids
    assert known is not None
    everybody = pa.concat_arrays(known.cast(pa.string()).chunks)
    rows: list[int | None] = pc.index_in(pa.array(ids, pa.string()), value_set=everybody).to_pylist()
    found = []
    for user_id, row in zip(ids, rows, strict=True):
        if row is None:
            raise DataError(
                f"{source.path(SEQUENCES)}: there is no user {user_id!r}, whom the evaluation ranked for",
                "Run `cocorec evaluate --force`.",
            )
        found.append(row)
    return found


def _lists(source: Source, ids: list[str]) -> dict[str, npt.NDArray[np.int64]]:
    """Item numbers of each user's list, best first; of users without a list nothing."""
    path = source.path(BACKTEST)
    if not path.exists():
        return {}
    with open_table(path) as file:
        require_column(file.schema_arrow, Columns.USER_ID, "string", path)
        listed = file.schema_arrow.names
        if Columns.ITEM_IDS not in listed or not pa.types.is_list(file.schema_arrow.field(Columns.ITEM_IDS).type):
            raise DataError(f"{path}: column {Columns.ITEM_IDS!r} is no list", "Run `cocorec evaluate --force`.")
        table = file.read(columns=[Columns.USER_ID, Columns.ITEM_IDS])
    table = table.filter(pc.is_in(table[Columns.USER_ID].cast(pa.string()), value_set=pa.array(ids, pa.string())))
    known = pa.concat_arrays(source.item_ids.chunks)
    found = {}
    for user_id, names in zip(*(table[name].to_pylist() for name in table.column_names), strict=True):
        items = pc.index_in(pa.array(names or [], pa.string()), value_set=known)
        if items.null_count:
            raise DataError(f"{path}: the list of {user_id!r} names an item that the catalogue lacks")
        found[user_id] = items.to_numpy().astype(np.int64) + 1
    return found


def _items(source: Source, numbers: npt.NDArray[np.int64], targets: npt.NDArray[np.int64] | None = None) -> list[Item]:
    at = pa.array(numbers - 1, pa.int64())
    ids, titles = source.item_ids.take(at).to_pylist(), source.titles.take(at).to_pylist()
    hits = np.isin(numbers, [] if targets is None else targets).tolist()
    return [Item(*parts) for parts in zip(ids, titles, hits, strict=True)]
