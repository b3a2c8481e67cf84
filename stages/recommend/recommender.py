"""Recommendations and similar items from a trained work directory; the commands use it, and so can any program."""

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch

from stages.artifacts.errors import DataError, NotFiniteError, UsageError
from stages.artifacts.fingerprints import Fingerprints
from stages.artifacts.lineage import require_consistent
from stages.artifacts.names import EMBEDDINGS, ITEMS, MODEL_CONFIG, MODEL_WEIGHTS
from stages.frame.allocator import keep_freed_memory
from stages.frame.processes.place import writes
from stages.frame.reporter import Reporter
from stages.model.base import Scorer
from stages.model.device import resolve_device
from stages.model.elsewhere import find_saved, load_model_from
from stages.model.files import Trained, added_items, load_model, read_config
from stages.model.neighbours import Neighbours
from stages.model.ranking import HideMore, Spans, best_lists
from stages.model.registry import needed_files
from stages.recommend.frames import read_frame
from stages.recommend.items import Items, Lists, Numbers, id_array
from stages.recommend.options import RecommendOptions, SimilarOptions
from stages.recommend.popular import Counts, count_items_taken, most_popular
from stages.recommend.texts import text_vectors

MODEL_FILES = (MODEL_CONFIG, MODEL_WEIGHTS)

Mask = npt.NDArray[np.bool_]


class Recommender:
    """A trained model with the catalogue of its work directory.

        recommender = Recommender.load("artifacts")
        recommender.recommend([["B001", "B007"]], top=5)

    Use :meth:`load`. The vectors of all items are computed once and held.

    Args:
        trained: model and catalogue.
        device: where the model is.
        workdir: the work directory.
        items: ids and texts of the same items.
        batch_size: histories read at a time.
        added: items that came after the model was trained.

    Raises:
        DataError: when ``items`` are not as many as the model knows.
    """

    def __init__(
        self,
        trained: Trained,
        device: torch.device,
        workdir: Path,
        items: Items,
        batch_size: int = RecommendOptions.batch_size,
        added: int = 0,
    ) -> None:
        if len(items) != trained.catalogue.items:
            raise DataError(
                f"{items.path} has {len(items)} items, the model knows {trained.catalogue.items}",
                "Run `cocorec train` again.",
            )
        self.model = trained.model
        self.workdir = workdir
        self.items = items
        self.added = added
        self._device = device
        self._batch_size = batch_size

    @classmethod
    def load(
        cls,
        workdir: str | Path = "artifacts",
        *,
        device: str = "auto",
        batch_size: int = RecommendOptions.batch_size,
        reporter: Reporter | None = None,
        model_from: Path | None = None,
        new_item_boost: float = 0.0,
    ) -> "Recommender":
        """Load the model of a work directory.

        Args:
            workdir: the work directory, after ``cocorec train``.
            device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
            batch_size: histories read at a time; bounds the memory.
            reporter: is told which ids could not be used; by default the ``cocorec`` logger.
            model_from: a folder with another model, for the items of this work directory; see
                :func:`stages.model.elsewhere.load_model_from`.
            new_item_boost: added to the scores of items that training never saw.

        Raises:
            UsageError: for a device that is not there, and for a boost where the model does not know these items.
            DataError: for artifacts that are missing, damaged, or do not belong together.
        """
        workdir, where = Path(workdir), resolve_device(device)
        added, files = 0 if model_from else added_items(workdir), recommender_files(workdir, model_from)
        # What the model was trained on may have grown since; that it fits was seen to.
        files = tuple(name for name in files if name not in MODEL_FILES) if added else files
        require_consistent(workdir, files, Fingerprints(workdir, keep=writes()))
        keep_freed_memory()
        items = Items(workdir / ITEMS, reporter or Reporter())
        trained = load_model_from(model_from, workdir, where) if model_from else load_model(workdir, where)
        trained.model.boost_new_items(new_item_boost)
        return cls(trained, where, workdir, items, batch_size, trained.added)

    def recommend(
        self,
        histories: Any,
        top: int = RecommendOptions.top,
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
            For lists a list of :class:`stages.recommend.Recommended`. For a frame one of the same library with the
            columns of ``recommendations.parquet``, users in the order in which they first occur. Fewer items than
            ``top`` where no more may be recommended.

        Raises:
            UsageError: for arguments that do not fit.
            DataError: when an id is no text, no candidate is left, or the popular items are needed and not known.
        """
        self.check_top(top)
        self.items.check_views(views)
        given = read_frame(histories)
        numbers = np.concatenate([[0], self.items.numbers(given.item_ids, "histories")]).astype(np.int32)
        allowed = self.allowed(
            None if candidates is None else id_array(candidates, "candidates"),
            None if exclude is None else id_array(exclude, "exclude"),
        )
        lists = self.lists(numbers[given.items], given.offsets, top=top, exclude_seen=exclude_seen, allowed=allowed)
        if given.user_ids is None:
            return self.items.named(lists)
        return given.give_back(self.items.table(given.user_ids, lists, views))

    def similar(self, item_ids: Any, top: int = SimilarOptions.top, *, by: str = SimilarOptions.by) -> Any:
        """The items most like each of some items.

        Args:
            item_ids: ids, a list or a series.
            top: k, from 1 to the size of the catalogue.
            by: ``model`` compares the vectors that the model gives the items as candidates, ``text`` the embeddings
                of their texts, all views weighed equally; both by cosine.

        Returns:
            For each id a :class:`stages.recommend.Recommended`; empty for an item without a vector.

        Raises:
            UsageError: for an unknown id, or a model whose items have no vectors.
            DataError: when the embeddings are missing or damaged.
        """
        numbers = self.items.known_numbers(id_array(item_ids, "item_ids"))
        return self.items.named(self.neighbours(numbers, top=top, by=by))

    def neighbours(
        self, numbers: Numbers, *, top: int, by: str, progress: Callable[[int], None] = lambda done: None
    ) -> Lists:
        """See :meth:`similar`, by item number (Q,)."""
        self.check_top(top)
        neighbours = self._by_text if by == "text" else self._by_model
        queries = torch.from_numpy(numbers.astype(np.int64)).to(self._device)
        try:
            found, cosines = neighbours.nearest(queries, top=top, progress=progress)
        except NotFiniteError as error:
            raise NotFiniteError(f"{self.model.origin}: {error.message}", error.hint) from error
        return Lists(found, cosines, np.zeros(len(found), np.bool_))

    def lists(
        self,
        items: Numbers,
        offsets: npt.NDArray[np.int64],
        *,
        top: int,
        exclude_seen: bool | None = None,
        allowed: Mask | None = None,
        hide_more: HideMore | None = None,
        progress: Callable[[int], None] = lambda done: None,
    ) -> Lists:
        """The best items after each history, by item number.

        Args:
            items: (interactions,) item numbers, user after user, oldest first; 0 for an item that is not known.
            offsets: (U + 1,) user u owns ``items[offsets[u]:offsets[u + 1]]``.
            top: k, from 1 to N.
            exclude_seen: see :meth:`recommend`.
            allowed: (N + 1,) which items may be recommended, from :meth:`allowed`.
            hide_more: hides further items of single histories; its rows count those with a known item.
            progress: called with how many more users are done.
        """
        items, offsets = _known(items, offsets)
        fallback = np.diff(offsets) == 0
        lists = Lists(np.zeros((len(fallback), top), np.int32), np.zeros((len(fallback), top), np.float32), fallback)
        first, end = offsets[:-1][~fallback], offsets[1:][~fallback]
        lists.items[~fallback], lists.scores[~fallback] = best_lists(
            self.model,
            self.scorer,
            torch.from_numpy(items.astype(np.int64)).to(self._device),
            Spans(first, np.maximum(first, end - self.model.config.max_history), end),
            top=top,
            exclude_seen=self.excludes_seen(exclude_seen),
            allowed=None if allowed is None else torch.from_numpy(allowed).to(self._device),
            hide_more=hide_more,
            batch_size=self._batch_size,
            progress=progress,
        )
        if np.isnan(lists.scores).any():
            raise DataError(f"{self.model.origin}: scores are not finite", "Train with a lower --learning-rate.")
        if fallback.any():
            lists.items[fallback], lists.scores[fallback] = most_popular(self._counts, top, allowed)
            progress(int(fallback.sum()))
        return lists

    def excludes_seen(self, wanted: bool | None) -> bool:
        """Whether what a history holds is left out, when this was asked for; ``None`` leaves it to the model."""
        return not self.model.knows_repeats if wanted is None else wanted

    def allowed(self, candidates: pa.Array | None = None, exclude: pa.Array | None = None) -> Mask | None:
        """Which items may be recommended (N + 1,), by item number; ``None`` for all.

        Args:
            candidates: (n,) string, the only ones; unknown ids are told to the reporter.
            exclude: (n,) string, those that may not.

        Raises:
            DataError: when none is left.
        """
        if candidates is None and exclude is None:
            return None
        allowed = np.full(len(self.items) + 1, candidates is None)
        if candidates is not None:
            allowed[self.items.numbers(candidates, "candidates")] = True
        if exclude is not None:
            allowed[self.items.numbers(exclude, "exclude")] = False
        allowed[0] = False
        self.require_some(allowed)
        return allowed

    def require_some(self, allowed: Mask) -> None:
        """Refuse filters that leave no item.

        Raises:
            DataError: saying so.
        """
        if not allowed.any():
            raise DataError(
                f"the filters leave none of the {len(self.items):,} items to recommend",
                "Check that the ids are those of the log, and loosen the conditions.",
            )

    def check_top(self, top: int) -> None:
        """Refuse lists that are empty or longer than the catalogue.

        Raises:
            UsageError: naming the bounds.
        """
        if not 1 <= top <= len(self.items):
            raise UsageError(
                f"--top must be from 1 to {len(self.items):,}, the items of the catalogue, is {top:,}",
                f"Give --top {min(10, len(self.items))}.",
            )

    @cached_property
    def scorer(self) -> Scorer:
        """The model's :meth:`stages.model.base.Model.scorer`, made once."""
        with torch.inference_mode():
            return self.model.scorer()

    @cached_property
    def _counts(self) -> Counts:
        return count_items_taken(self.workdir, len(self.items))

    @cached_property
    def _by_model(self) -> Neighbours:
        with torch.inference_mode():
            vectors = self.model.candidate_vectors()
        if vectors is None:
            raise UsageError(
                f"the model {self.model.config.model} has no vectors of items",
                "Compare their texts with --by text, or train another --model.",
            )
        return Neighbours(vectors)

    @cached_property
    def _by_text(self) -> Neighbours:
        path = self.workdir / EMBEDDINGS
        require_consistent(self.workdir, [ITEMS, EMBEDDINGS], Fingerprints(self.workdir))
        vectors = text_vectors(path)
        if len(vectors) != len(self.items) + 1:
            raise DataError(
                f"{path} has {len(vectors) - 1} items, {self.items.path} {len(self.items)}",
                "Run `cocorec embed` again.",
            )
        return Neighbours(vectors.to(self._device))


def recommender_files(workdir: Path, model_from: Path | None = None) -> tuple[str, ...]:
    """The artifacts of the work directory that :meth:`Recommender.load` reads.

    Raises:
        DataError: when there is no trained model.
    """
    if model_from:
        return tuple(dict.fromkeys([ITEMS, *needed_files(find_saved(model_from).config.model)]))
    needed = needed_files(read_config(workdir).model)
    return tuple(dict.fromkeys([ITEMS, *needed, *MODEL_FILES]))


def _known(items: Numbers, offsets: npt.NDArray[np.int64]) -> tuple[Numbers, npt.NDArray[np.int64]]:
    """Histories without the items that are not known."""
    known = items > 0
    if known.all():
        return items, offsets
    before = np.concatenate([[0], np.cumsum(known)])
    return items[known], before[offsets]
