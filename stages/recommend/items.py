"""The items as people know them: original ids, texts, and tables of lists that hold both."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.items import item_views, read_item_ids, read_texts
from stages.artifacts.lists import list_columns, recommendations_schema
from stages.artifacts.names import RESERVED_LIST_NAMES, Columns
from stages.frame.reporter import Reporter

Numbers = npt.NDArray[np.int32]

_NAMED = 5
"""Unknown ids that a message names."""


@dataclass(frozen=True)
class Lists:
    """Recommendations, or similar items, by item number.

    Attributes:
        items: (U, k) int32, best first; 0 where there are fewer.
        scores: (U, k) float32, the model's own; of popular items, how often they were taken; of similar ones, cosines.
        fallback: (U,) users without any known item, who get the popular ones.
    """

    items: Numbers
    scores: npt.NDArray[np.float32]
    fallback: npt.NDArray[np.bool_]


class Recommended(NamedTuple):
    """What one user, or one item, gets.

    Attributes:
        item_ids: best first.
        scores: as in :class:`Lists`.
        fallback: the popular items, for want of a known one in the history; ``False`` for similar items.
    """

    item_ids: list[str]
    scores: list[float]
    fallback: bool = False


class Items:
    """The catalogue's ids and texts.

    Args:
        path: ``items.parquet``.
        reporter: is told which ids are unknown.

    Attributes:
        path: as given.
        ids: (N,) string, in the order of the item numbers.

    Raises:
        DataError: when the file is missing, damaged or breaks the contract.
    """

    def __init__(self, path: Path, reporter: Reporter) -> None:
        self.path = path
        self.ids = read_item_ids(path)
        self._reporter = reporter
        self._texts: dict[str, pa.ChunkedArray] = {}

    def __len__(self) -> int:
        return len(self.ids)

    def numbers(self, ids: pa.Array | pa.ChunkedArray, name: str | None = None) -> Numbers:
        """Item numbers (n,) of original ids, 0 for those that are not in the catalogue, which the reporter hears of.

        Args:
            ids: (n,) string.
            name: what they are, for the message; ``None`` where others than those of the catalogue are no surprise.
        """
        numbers = self._look_up(ids)
        unknown = pc.unique(ids.filter(pa.array(numbers == 0)))
        if len(unknown) and name is not None:
            self._reporter.warn(
                f"{name}: {len(unknown):,} of {len(pc.unique(ids)):,} ids are not in the catalogue and left out, such "
                f"as {', '.join(unknown[:_NAMED].to_pylist())}"
            )
        return numbers

    def known_numbers(self, ids: pa.Array) -> Numbers:
        """Item numbers (n,) of original ids, all of which have to be in the catalogue.

        Raises:
            UsageError: naming those that are not.
        """
        numbers = self._look_up(ids)
        if not numbers.all():
            unknown = ids.filter(pa.array(numbers == 0))[:_NAMED].to_pylist()
            raise UsageError(
                f"there is no item {', '.join(map(repr, unknown))} in {self.path}",
                "Items are named by their ids in the log.",
            )
        return numbers

    def check_views(self, views: Sequence[str]) -> None:
        """Refuse views that cannot become columns.

        Raises:
            UsageError: naming those there are.
        """
        known = item_views(self.path) if views else []
        for view in views:
            if view not in known:
                raise UsageError(
                    f"--with {view!r} is no text view of {self.path}",
                    f"There are {', '.join(known)}." if known else "There is none.",
                )
            if view in RESERVED_LIST_NAMES or list(views).count(view) > 1:
                raise UsageError(f"--with {view!r} would name a column twice", "Leave it out.")

    def table(self, names: pa.ChunkedArray, lists: Lists, views: Sequence[str] = ()) -> pa.Table:
        """Lists as a table with the columns of ``recommendations.parquet``.

        Args:
            names: (U,) string, of the users.
            lists: of these users.
            views: text views of the items to add.
        """
        ids, scores, *texts = list_columns(lists.items, lists.scores, self._columns(views))
        columns = [names.cast(pa.string()), ids, scores, pa.array(lists.fallback), *texts]
        return pa.table(columns, schema=recommendations_schema(views))

    def neighbours_table(self, names: pa.ChunkedArray, lists: Lists, views: Sequence[str] = ()) -> pa.Table:
        """Lists of similar items as a table: ``item_id``, ``item_ids``, ``scores`` and the views."""
        table = self.table(names, lists, views).drop_columns([Columns.FALLBACK])
        return table.rename_columns([Columns.ITEM_ID, *table.column_names[1:]])

    def named(self, lists: Lists) -> list[Recommended]:
        """Lists as Python values."""
        ids, scores = list_columns(lists.items, lists.scores, self._columns(()))
        rows = zip(ids.to_pylist(), scores.to_pylist(), lists.fallback.tolist(), strict=True)
        return [Recommended(*row) for row in rows]

    def _columns(self, views: Sequence[str]) -> dict[str, pa.ChunkedArray]:
        self.check_views(views)
        missing = [view for view in views if view not in self._texts]
        if missing:
            self._texts |= read_texts(self.path, missing)
        return {Columns.ITEM_IDS: self.ids, **{view: self._texts[view] for view in views}}

    def _look_up(self, ids: pa.Array | pa.ChunkedArray) -> Numbers:
        found = pc.fill_null(pc.index_in(ids, value_set=self._id_set), -1)
        numbers: Numbers = found.to_numpy().astype(np.int32) + 1
        return numbers

    @cached_property
    def _id_set(self) -> pa.Array:
        return pa.concat_arrays(self.ids.chunks or [pa.array([], pa.string())])


def id_array(ids: Any, name: str) -> pa.Array:
    """Ids (n,) as strings, from a list or from a series of any library.

    Raises:
        DataError: when one is missing or is neither a text nor a whole number.
    """
    try:
        array = ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else pa.array(ids)
    except (pa.ArrowException, TypeError):
        array = pa.array([None])
    kind = array.type
    if pa.types.is_null(kind) and not len(array):
        return array.cast(pa.string())
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    if array.null_count or not (text or pa.types.is_integer(kind)):
        raise DataError(f"{name}: not all are ids", "Ids are texts or whole numbers.")
    return array.cast(pa.string())
