"""Recommendations and similar items from a trained work directory; the commands use it, and so can any program."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.fingerprints import Fingerprints
from stages.artifacts.histories import read_histories
from stages.artifacts.items import item_views, read_item_ids, read_texts
from stages.artifacts.lineage import require_consistent
from stages.artifacts.lists import list_columns, recommendations_schema
from stages.artifacts.names import (
    EMBEDDINGS,
    HISTORIES,
    ITEMS,
    MODEL_CONFIG,
    MODEL_WEIGHTS,
    RESERVED_LIST_NAMES,
    SEQUENCES,
    Columns,
)
from stages.artifacts.sequences import read_sequences
from stages.frame.allocator import keep_freed_memory
from stages.frame.reporter import Reporter
from stages.model.base import Scorer
from stages.model.device import resolve_device
from stages.model.files import Trained, load_model, read_config
from stages.model.neighbours import nearest
from stages.model.ranking import Spans, best_lists
from stages.model.registry import needed_files
from stages.recommend.frames import read_frame
from stages.recommend.texts import text_vectors

Numbers = npt.NDArray[np.int32]

_NAMED = 5
"""Unknown ids that a message names."""


@dataclass(frozen=True)
class Lists:
    """Recommendations by item number.

    Attributes:
        items: (U, k) int32, best first; 0 where a user gets fewer.
        scores: (U, k) float32, the model's own; of the popular items, how often they were taken.
        fallback: (U,) users without any known item, who get the popular ones.
    """

    items: Numbers
    scores: npt.NDArray[np.float32]
    fallback: npt.NDArray[np.bool_]


class Recommended(NamedTuple):
    """What one user, or one item, gets.

    Attributes:
        item_ids: best first.
        scores: as in :class:`Lists`, of similar items their cosines.
        fallback: the popular items, for want of a known one in the history; ``False`` for similar items.
    """

    item_ids: list[str]
    scores: list[float]
    fallback: bool = False


class Recommender:
    """A trained model with the catalogue of its work directory.

        recommender = Recommender.load("artifacts")
        recommender.recommend([["B001", "B007"]], top=5)

    Use :meth:`load`; it holds the vectors of all items as long as it lives.

    Args:
        trained: model and catalogue.
        workdir: the work directory.
        item_ids: (N,) string, the original ids in the order of the item numbers.
        batch_size: histories read at a time.
        reporter: is told what could not be used.
    """

    def __init__(
        self, trained: Trained, workdir: Path, item_ids: pa.ChunkedArray, batch_size: int, reporter: Reporter
    ) -> None:
        self.model = trained.model
        self.workdir = workdir
        self.item_ids = item_ids
        self._batch_size = batch_size
        self._reporter = reporter
        self._device = next(iter(trained.model.state_dict().values()), torch.zeros(0)).device
        self._texts: dict[str, pa.ChunkedArray] = {}

    @classmethod
    def load(
        cls,
        workdir: str | Path = "artifacts",
        *,
        device: str = "auto",
        batch_size: int = 2048,
        reporter: Reporter | None = None,
    ) -> "Recommender":
        """Load the model of a work directory.

        Args:
            workdir: the work directory, after ``cocorec train``.
            device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
            batch_size: histories read at a time; bounds the memory.
            reporter: is told what could not be used; by default the ``cocorec`` logger.

        Raises:
            UsageError: for a device that is not there.
            DataError: for artifacts that are missing, damaged, or do not belong together.
        """
        workdir = Path(workdir)
        where = resolve_device(device)
        require_consistent(workdir, recommender_files(workdir), Fingerprints(workdir))
        keep_freed_memory()
        trained = load_model(workdir, where)
        item_ids = read_item_ids(workdir / ITEMS)
        if len(item_ids) != trained.catalogue.items:
            raise DataError(
                f"{workdir / ITEMS} has {len(item_ids)} items, the model knows {trained.catalogue.items}",
                "Run `cocorec train` again.",
            )
        return cls(trained, workdir, item_ids, batch_size, reporter or Reporter())

    @property
    def items(self) -> int:
        """N, the size of the catalogue."""
        return len(self.item_ids)

    def recommend(
        self,
        histories: Any,
        top: int = 10,
        *,
        exclude_seen: bool | None = None,
        candidates: Iterable[str] | None = None,
        exclude: Iterable[str] | None = None,
        views: Sequence[str] = (),
    ) -> Any:
        """The best items after each history.

        Args:
            histories: lists of item ids, oldest first; or a frame of polars, pandas, pyarrow or anything else that
                Narwhals knows, with the columns ``user_id`` and ``item_ids`` (lists), or a row per interaction with
                ``user_id``, ``item_id`` and perhaps ``timestamp``. Unknown ids are told to the reporter and left out.
            top: k, from 1 to the size of the catalogue.
            exclude_seen: leave out what the history holds; ``None`` does so where the model has learnt nothing of
                how often people repeat.
            candidates: ids of the only items to recommend; ``None`` for all.
            exclude: ids of items not to recommend.
            views: text views of the items to add as columns of a frame.

        Returns:
            For lists a list of :class:`Recommended`. For a frame one of the same library with the columns of
            ``recommendations.parquet``, users in the order in which they first occur. Fewer items than ``top`` where no
            more may be recommended.

        Raises:
            UsageError: for arguments that do not fit.
            DataError: when an id is no text, no candidate is left, or the popular items are needed and not known.
        """
        self.check_top(top)
        given = read_frame(histories)
        numbers = self.numbers(given.item_ids, "histories")
        items = np.concatenate([[0], numbers]).astype(np.int32)[given.items]
        allowed = self.allowed(
            None if candidates is None else _array(candidates, "candidates"),
            None if exclude is None else _array(exclude, "exclude"),
        )
        lists = self.lists(items, given.offsets, top=top, exclude_seen=exclude_seen, allowed=allowed)
        if given.user_ids is None:
            return self.named(lists)
        return given.give_back(self.table(given.user_ids, lists, views))

    def similar(self, item_ids: Any, top: int = 10, *, by: str = "model", views: Sequence[str] = ()) -> Any:
        """The items most like each of some items.

        Args:
            item_ids: ids; a series or a list.
            top: k, from 1 to the size of the catalogue.
            by: ``model`` compares the vectors that the model gives the items as candidates, ``text`` the embeddings
                of their texts, all views weighed equally; both by cosine.
            views: text views to add, which gives a pyarrow table instead of a list.

        Returns:
            For each id a :class:`Recommended`; empty for an item without a vector.

        Raises:
            UsageError: for an unknown id, or a model whose items have no vectors.
            DataError: when the embeddings are missing or damaged.
        """
        wanted = _array(item_ids, "item_ids")
        numbers = self._known_numbers(wanted)
        lists = self.neighbours(numbers, top=top, by=by)
        return self.table(pa.chunked_array([wanted]), lists, views) if views else self.named(lists)

    def neighbours(
        self, numbers: Numbers, *, top: int, by: str = "model", progress: Callable[[int], None] = lambda done: None
    ) -> Lists:
        """See :meth:`similar`, by item number (Q,)."""
        self.check_top(top)
        vectors = self._text_vectors if by == "text" else self._candidate_vectors
        queries = torch.from_numpy(numbers.astype(np.int64)).to(vectors.device)
        items, cosines = nearest(vectors, queries, top=top, progress=progress)
        return Lists(items, cosines, np.zeros(len(items), np.bool_))

    def lists(
        self,
        items: Numbers,
        offsets: npt.NDArray[np.int64],
        *,
        top: int,
        exclude_seen: bool | None = None,
        allowed: npt.NDArray[np.bool_] | None = None,
        progress: Callable[[int], None] = lambda done: None,
    ) -> Lists:
        """The best items after each history; the same histories give the same lists, whatever else is asked.

        Args:
            items: (interactions,) item numbers, user after user, oldest first; 0 for an item that is not known.
            offsets: (U + 1,) user u owns ``items[offsets[u]:offsets[u + 1]]``.
            top: k, from 1 to N.
            exclude_seen: see :meth:`recommend`.
            allowed: (N + 1,) which items may be recommended, from :meth:`allowed`.
            progress: called with how many more users are done.
        """
        items, offsets = _known(items, offsets)
        fallback = np.diff(offsets) == 0
        result = Lists(np.zeros((len(fallback), top), np.int32), np.zeros((len(fallback), top), np.float32), fallback)
        first, end = offsets[:-1][~fallback], offsets[1:][~fallback]
        spans = Spans(first, np.maximum(first, end - self.model.config.max_history), end)
        result.items[~fallback], result.scores[~fallback] = best_lists(
            self.model,
            self._scorer,
            torch.from_numpy(items.astype(np.int64)).to(self._device),
            spans,
            top=top,
            exclude_seen=self.excludes_seen(exclude_seen),
            allowed=None if allowed is None else torch.from_numpy(allowed).to(self._device),
            batch_size=self._batch_size,
            progress=progress,
        )
        if np.isnan(result.scores).any():
            raise DataError(
                f"{self.workdir / MODEL_WEIGHTS}: scores are not finite", "Train with a lower --learning-rate."
            )
        if fallback.any():
            result.items[fallback], result.scores[fallback] = self._popular(top, allowed)
            progress(int(fallback.sum()))
        return result

    def excludes_seen(self, wanted: bool | None) -> bool:
        """Whether what a history holds is left out, when this was asked for; ``None`` leaves it to the model."""
        return not self.model.knows_repeats if wanted is None else wanted

    def allowed(
        self, candidates: pa.Array | None = None, exclude: pa.Array | None = None
    ) -> npt.NDArray[np.bool_] | None:
        """Which items may be recommended (N + 1,), by item number; ``None`` for all.

        Args:
            candidates: (n,) string, the only ones; unknown ids are told to the reporter.
            exclude: (n,) string, those that may not.

        Raises:
            DataError: when none is left.
        """
        if candidates is None and exclude is None:
            return None
        allowed = np.full(self.items + 1, candidates is None)
        if candidates is not None:
            allowed[self.numbers(candidates, "candidates")] = True
        if exclude is not None:
            allowed[self.numbers(exclude, "exclude")] = False
        allowed[0] = False
        self.require_some(allowed)
        return allowed

    def require_some(self, allowed: npt.NDArray[np.bool_]) -> None:
        """Refuse filters that leave no item.

        Raises:
            DataError: saying so.
        """
        if not allowed.any():
            raise DataError(
                f"the filters leave none of the {self.items:,} items to recommend",
                "Check that the ids are those of the log, and loosen the conditions.",
            )

    def numbers(self, ids: pa.Array | pa.ChunkedArray, name: str) -> Numbers:
        """Item numbers (n,) of original ids, 0 for those that are not in the catalogue, which the reporter hears of.

        Args:
            ids: (n,) string.
            name: what they are, for the message.
        """
        found = pc.fill_null(pc.index_in(ids, value_set=self._id_set), -1)
        numbers: Numbers = found.to_numpy().astype(np.int32) + 1
        unknown = pc.unique(ids.filter(pa.array(numbers == 0)))
        if len(unknown):
            self._reporter.warn(
                f"{name}: {len(unknown):,} of {len(pc.unique(ids)):,} ids are not in the catalogue and left out, such "
                f"as {', '.join(map(str, unknown[:_NAMED].to_pylist()))}"
            )
        return numbers

    def check_top(self, top: int) -> None:
        """Refuse lists that cannot be filled.

        Raises:
            UsageError: for less than 1, and for more than there are items.
        """
        if not 1 <= top <= self.items:
            raise UsageError(f"--top must be from 1 to the {self.items:,} items of the catalogue, is {top}")

    def check_views(self, views: Sequence[str]) -> None:
        """Refuse views that cannot become columns.

        Raises:
            UsageError: naming those there are.
        """
        known = item_views(self.workdir / ITEMS)
        for view in views:
            if view not in known:
                raise UsageError(
                    f"--with {view!r} is no text view of {self.workdir / ITEMS}",
                    f"There are {', '.join(known)}." if known else "There is none.",
                )
            if view in RESERVED_LIST_NAMES or views.count(view) > 1:
                raise UsageError(f"--with {view!r} would name a column twice", "Leave it out.")

    def table(self, names: pa.ChunkedArray, lists: Lists, views: Sequence[str] = ()) -> pa.Table:
        """Lists as a table with the columns of ``recommendations.parquet``.

        Args:
            names: (U,) string, of the users.
            lists: of these users.
            views: text views of the items to add.
        """
        texts = {Columns.ITEM_IDS: self.item_ids, **self._views(views)}
        ids, scores, *added = list_columns(lists.items, lists.scores, texts)
        columns = [names.cast(pa.string()), ids, scores, pa.array(lists.fallback), *added]
        return pa.table(columns, schema=recommendations_schema(views))

    def named(self, lists: Lists) -> list[Recommended]:
        """Lists as Python values."""
        ids, scores = list_columns(lists.items, lists.scores, {Columns.ITEM_IDS: self.item_ids})
        rows = zip(ids.to_pylist(), scores.to_pylist(), lists.fallback.tolist(), strict=True)
        return [Recommended(*row) for row in rows]

    @cached_property
    def _scorer(self) -> Scorer:
        with torch.inference_mode():
            return self.model.scorer()

    @cached_property
    def _id_set(self) -> pa.Array:
        return pa.concat_arrays(self.item_ids.chunks or [pa.array([], pa.string())])

    @cached_property
    def _candidate_vectors(self) -> Tensor:
        with torch.inference_mode():
            vectors = self.model.candidate_vectors()
        if vectors is None:
            raise UsageError(
                f"the model {self.model.config.model} has no vectors of items",
                "Compare their texts with --by text, or train another --model.",
            )
        return vectors

    @cached_property
    def _text_vectors(self) -> Tensor:
        require_consistent(self.workdir, [ITEMS, EMBEDDINGS], Fingerprints(self.workdir))
        vectors = text_vectors(self.workdir / EMBEDDINGS)
        if len(vectors) != self.items + 1:
            raise DataError(
                f"{self.workdir / EMBEDDINGS} has {len(vectors) - 1} items, {self.workdir / ITEMS} {self.items}",
                "Run `cocorec embed` again.",
            )
        return vectors

    def _views(self, views: Sequence[str]) -> dict[str, pa.ChunkedArray]:
        self.check_views(views)
        missing = [view for view in views if view not in self._texts]
        if missing:
            self._texts |= read_texts(self.workdir / ITEMS, missing)
        return {view: self._texts[view] for view in views}

    def _known_numbers(self, ids: pa.Array) -> Numbers:
        numbers = self.numbers(ids, "items")
        if len(numbers) and not numbers.all():
            unknown = ids.filter(pa.array(numbers == 0))
            raise UsageError(
                f"there is no item {', '.join(map(repr, unknown[:_NAMED].to_pylist()))} in {self.workdir / ITEMS}",
                "Items are named by their ids in the log.",
            )
        return numbers

    def _popular(self, top: int, allowed: npt.NDArray[np.bool_] | None) -> tuple[Numbers, npt.NDArray[np.float32]]:
        """The items that were taken most often and may be recommended (k,), and how often; 0 where there are fewer."""
        counts = np.where(True if allowed is None else allowed[1:], self._counts, -1)
        order = np.argsort(-counts, kind="stable")[:top]
        known = counts[order] >= 0
        return np.where(known, order + 1, 0).astype(np.int32), np.where(known, counts[order], 0).astype(np.float32)

    @cached_property
    def _counts(self) -> npt.NDArray[np.int64]:
        """How often each item was taken (N,), in the whole log."""
        path = popularity_file(self.workdir)
        if path is None:
            raise DataError(
                f"a history has no known item, and which items are popular is not known without "
                f"{self.workdir / HISTORIES} or {self.workdir / SEQUENCES}",
                "Put one of these files there, or leave such histories out.",
            )
        if path.name == HISTORIES:
            items = read_histories(path, items=self.items).items
        else:
            items = read_sequences(path, items=self.items).items
        return np.bincount(items, minlength=self.items + 1)[1:]


def recommender_files(workdir: Path) -> tuple[str, ...]:
    """The artifacts that :meth:`Recommender.load` reads.

    Raises:
        DataError: when there is no trained model.
    """
    needed = needed_files(read_config(workdir).model)
    return tuple(dict.fromkeys([ITEMS, *needed, MODEL_CONFIG, MODEL_WEIGHTS]))


def popularity_file(workdir: Path) -> Path | None:
    """Where popularity is counted: all histories of the log, else those that were learnt from, if one is there."""
    return next((path for name in (HISTORIES, SEQUENCES) if (path := workdir / name).exists()), None)


def _known(items: Numbers, offsets: npt.NDArray[np.int64]) -> tuple[Numbers, npt.NDArray[np.int64]]:
    """Histories without the items that are not known."""
    known = items > 0
    if known.all():
        return items, offsets
    before = np.concatenate([[0], np.cumsum(known)])
    return items[known], before[offsets]


def _array(ids: Any, name: str) -> pa.Array:
    """Ids (n,) as strings, from a list or from a series of any library."""
    try:
        array = pa.array(ids) if not isinstance(ids, pa.ChunkedArray) else ids.combine_chunks()
    except (pa.ArrowException, TypeError):
        array = pa.array([None])
    if pa.types.is_null(array.type) and not len(array):
        return array.cast(pa.string())
    text = pa.types.is_string(array.type) or pa.types.is_large_string(array.type) or pa.types.is_integer(array.type)
    if array.null_count or not text:
        raise DataError(f"{name}: not all are ids", "Ids are texts or whole numbers.")
    return array.cast(pa.string())
