"""Histories as programs hold them: lists, or frames of polars, pandas, pyarrow and others through Narwhals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.names import Columns

_TIME = "timestamp"


@dataclass(frozen=True)
class Given:
    """Histories in flat arrays, whose items are known by ids alone.

    Attributes:
        item_ids: (n,) string, the distinct ids.
        items: (interactions,) int64, which id, from 1, user after user, oldest first.
        offsets: (U + 1,) int64; user u owns ``items[offsets[u]:offsets[u + 1]]``.
        user_ids: (U,) string in the order in which they first occur; ``None`` for lists.
        give_back: makes a frame of the same library of a table.
    """

    item_ids: pa.Array
    items: npt.NDArray[np.int64]
    offsets: npt.NDArray[np.int64]
    user_ids: pa.ChunkedArray | None
    give_back: Callable[[pa.Table], Any]


def read_frame(histories: Any) -> Given:
    """Read histories; see :meth:`stages.recommend.Recommender.recommend` for what they may be.

    Raises:
        UsageError: when they are of another kind or lack a column.
        DataError: when an id is missing or is neither a text nor a whole number.
    """
    if isinstance(histories, Sequence) and not isinstance(histories, str | bytes):
        return _from_lists(histories)
    table, give_back = _table(histories)
    if Columns.USER_ID not in table.column_names:
        raise _no_column(Columns.USER_ID, table)
    users = _ids(table[Columns.USER_ID], Columns.USER_ID)
    if Columns.ITEM_IDS in table.column_names:
        return _from_list_column(users, table[Columns.ITEM_IDS], give_back)
    if Columns.ITEM_ID not in table.column_names:
        raise _no_column(f"{Columns.ITEM_IDS} or {Columns.ITEM_ID}", table)
    order = table[_TIME] if _TIME in table.column_names else None
    return _from_log(users, _ids(table[Columns.ITEM_ID], Columns.ITEM_ID), order, give_back)


def _table(frame: Any) -> tuple[pa.Table, Callable[[pa.Table], Any]]:
    import narwhals.stable.v2 as nw  # not where only files are read

    try:
        known = nw.from_native(frame)
        eager = known.collect() if isinstance(known, nw.LazyFrame) else known
    except TypeError:
        raise UsageError(
            f"histories are {type(frame).__name__}, neither lists of ids nor a frame",
            "Give lists, or a frame of polars, pandas or pyarrow.",
        ) from None
    back = eager.implementation
    return eager.to_arrow(), lambda table: nw.from_arrow(table, backend=back).to_native()


def _from_lists(histories: Sequence[Any]) -> Given:
    for number, history in enumerate(histories):
        if isinstance(history, str | bytes) or not isinstance(history, Sequence | np.ndarray):
            raise UsageError(
                f"history {number} is {type(history).__name__}, not a list of ids", "Give a list of lists of ids."
            )
    lengths = [len(history) for history in histories]
    try:
        flat = pa.array([item for history in histories for item in history])
    except pa.ArrowException as error:
        raise DataError(f"histories hold what is no id: {error}", "Ids are texts or whole numbers.") from error
    return _given(_ids(pa.chunked_array([flat]), "histories"), np.array(lengths, np.int64), None, lambda table: table)


def _from_list_column(users: pa.ChunkedArray, column: pa.ChunkedArray, give_back: Callable[[pa.Table], Any]) -> Given:
    if not (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)):
        raise DataError(f"column {Columns.ITEM_IDS!r} has type {column.type}, not lists", "Give lists of ids.")
    distinct = pc.count_distinct(users).as_py()
    if distinct < len(users):
        raise DataError(
            f"column {Columns.USER_ID!r}: {len(users) - distinct:,} users occur again", "Give each user one row."
        )
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy().astype(np.int64)
    flat = pa.chunked_array([chunk.flatten() for chunk in column.chunks], column.type.value_type)
    return _given(_ids(flat, Columns.ITEM_IDS), lengths, users, give_back)


def _from_log(
    users: pa.ChunkedArray, items: pa.ChunkedArray, times: pa.ChunkedArray | None, give_back: Callable[[pa.Table], Any]
) -> Given:
    """One row per interaction: users as they first occur, their items by time, equal times in the order of the rows."""
    encoded = pa.concat_arrays(users.chunks or [pa.array([], pa.string())]).dictionary_encode()
    user = encoded.indices.to_numpy()
    place = np.arange(len(user))
    if times is not None:
        if times.null_count:
            raise DataError(f"column {_TIME!r} has nulls", "Give every interaction a time, or leave the column out.")
        place = pc.rank(times, tiebreaker="first").to_numpy()
    order = np.lexsort((place, user))
    lengths = np.bincount(user, minlength=len(encoded.dictionary))
    return _given(items.take(pa.array(order)), lengths, pa.chunked_array([encoded.dictionary]), give_back)


def _given(
    ids: pa.ChunkedArray,
    lengths: npt.NDArray[np.int64],
    users: pa.ChunkedArray | None,
    give_back: Callable[[pa.Table], Any],
) -> Given:
    encoded = pa.concat_arrays(ids.chunks or [pa.array([], pa.string())]).dictionary_encode()
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Given(encoded.dictionary, encoded.indices.to_numpy().astype(np.int64) + 1, offsets, users, give_back)


def _ids(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """A column of ids as strings."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not len(column):
        return pa.chunked_array([], pa.string())
    if column.null_count:
        row = pc.index(column.is_null(), True).as_py() + 1
        raise DataError(f"{name!r}, row {row} is null", "Every user and every item needs an id.")
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    if not (text or pa.types.is_integer(kind)):
        raise DataError(f"{name!r} has type {kind}, not ids", "Ids are texts or whole numbers.")
    return column.cast(kind).cast(pa.string())


def _no_column(name: str, table: pa.Table) -> UsageError:
    return UsageError(
        f"histories have no column {name}; there are {', '.join(table.column_names)}",
        "Columns are user_id and item_ids, or user_id, item_id and perhaps timestamp.",
    )
