"""Codes view after view; of the vectors only samples for training are held, the others pass by in chunks."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.frame.run import StageRun
from stages.quantize.codebooks import Codes, Mask, Matrix, ViewQuantizer
from stages.quantize.diagnostics import RowKeys, position_facts, row_numbers, tuple_facts
from stages.quantize.file import FITTED_ITEMS, HELD_OUT_ERROR, SavedQuantizer
from stages.quantize.fit import (
    POINTS_WANTED,
    codebook_rows,
    exact_quantizer,
    fit_quantizer,
    fit_whitening,
    refitted_error,
    refitted_rows,
    unused_rows,
)
from stages.quantize.options import QuantizeOptions
from stages.quantize.samples import Index, ViewVectors
from stages.whitening import training_rows

ENOUGH_NEW = 30
"""Fewer new texts say little."""

_POOR_FIT = 1.1
_DOUBT = 3.0
"""New texts are of another kind when their error is above the held-out error by a tenth and by three standard errors.

A random tenth of a catalogue of 4,385 items, left out of the fit, passes for that in at most 14 of 10,000 draws of 30
of its texts, in any of three views; titles of two other domains have 1.18 times the held-out error, brands of one 1.8
times, categories 3.5 times.
"""


@dataclass(frozen=True)
class _Coded:
    """A view after coding.

    Attributes:
        codes: (N, levels).
        texts: (N,) a number for each distinct vector, -1 where the item lacks the view.
        error: relative squared error of all vectors.
        error_of_marked: of those that were asked about.
        doubt: standard error of that.
        error_of_others: of those that were not.
    """

    codes: Codes
    texts: npt.NDArray[np.int32]
    error: float
    error_of_marked: float
    doubt: float
    error_of_others: float


Chunk = tuple[Codes, npt.NDArray[np.uint64], npt.NDArray[np.float64]]
"""Of the vectors (R, D) of a chunk the codes (R, levels), keys of their whitened rows (R, 2) and errors (R, 2)."""

Map = Callable[[Callable[[ViewQuantizer, Matrix], Chunk], ViewQuantizer, Iterator[tuple[Matrix]]], Iterator[Chunk]]
"""Calls a function for each chunk, and gives the results in their order."""


def map_here(
    function: Callable[[ViewQuantizer, Matrix], Chunk], quantizer: ViewQuantizer, jobs: Iterator[tuple[Matrix]]
) -> Iterator[Chunk]:
    """In this process."""
    return (function(quantizer, *job) for job in jobs)


def code_chunk(quantizer: ViewQuantizer, matrix: Matrix) -> Chunk:
    """Code the vectors (R, D) of a chunk."""
    whitened = quantizer.whitening.apply(matrix)
    own, keys = quantizer.encode(whitened), RowKeys()
    keys.add(whitened)
    return own, keys.rows(), quantizer.squares(whitened, own)


def _code(quantizer: ViewQuantizer, vectors: ViewVectors, marked: Mask | None, do: Map) -> _Coded:
    """Code the vectors of a view; the error of some of them (N,) is told apart."""
    present = vectors.present
    codes = np.empty((len(present), quantizer.levels), np.uint16)
    codes[~present] = quantizer.encode(np.zeros((1, quantizer.whitening.dimension), np.float32))
    keys = RowKeys()
    squares, products = np.zeros((2, 2)), np.zeros((2, 2))
    places: deque[slice] = deque()

    def jobs() -> Iterator[tuple[Matrix]]:
        for place, matrix in vectors.chunks():
            places.append(place)
            yield (matrix,)

    for own, own_keys, lost in do(code_chunk, quantizer, jobs()):
        place = places.popleft()
        codes[place][present[place]] = own
        keys.take(own_keys)
        squares[0] += lost.sum(axis=0)
        if marked is not None:
            of_marked = lost[marked[place][present[place]]]
            squares[1] += of_marked.sum(axis=0)
            products += of_marked.T @ of_marked
    texts = np.full(len(present), -1, np.int32)
    texts[present] = row_numbers(keys.rows())
    everything, asked, others = (_ratio(*sums) for sums in (*squares, squares[0] - squares[1]))
    # Of a ratio of sums, from the squares of what each vector deviates by.
    doubt = _ratio(float(np.sqrt(max(0.0, np.array([1, -asked]) @ products @ np.array([1, -asked])))), squares[1, 1])
    return _Coded(codes, texts, everything, asked, doubt, others)


def _ratio(lost: float, kept: float) -> float:
    return float(lost / kept) if kept else 0.0


class CatalogueCoder:
    """Quantizes the views of a catalogue one after the other.

    Args:
        embeddings: ``embeddings.parquet``.
        options: of the stage.
        run: takes warnings and timings.
        saved: codebooks to code with; ``None`` fits new ones.
        grown: they were fitted to the first items of this catalogue.
        do: codes the chunks of vectors.

    Attributes:
        quantizers: of the views so far.
    """

    def __init__(
        self,
        embeddings: Path,
        options: QuantizeOptions,
        run: StageRun,
        saved: SavedQuantizer | None = None,
        *,
        grown: bool = False,
        do: Map = map_here,
    ) -> None:
        self._do = do
        self.quantizers: dict[str, ViewQuantizer] = {}
        self._embeddings = embeddings
        self._options = options
        self._run = run
        self._saved = saved
        self._grown = grown
        self._exact: dict[str, int] = {}
        self._poor: dict[str, int] = {}
        self._kept: list[dict[str, Any]] = []
        self._codes: list[Codes] = []
        self._texts: list[npt.NDArray[np.int32]] = []
        self._views: list[dict[str, Any]] = []
        self._positions: list[dict[str, Any]] = []

    def add(self, view: str, dimension: int) -> None:
        """Code one view of vectors with ``dimension`` components, fitting its quantizer first unless there is one."""
        with self._run.measure("read"):
            vectors = ViewVectors(self._embeddings, view, dimension)
        saved, fitted, marked = self._saved, self._saved is None, None
        if saved is None:
            quantizer, held_out, marked = self._fit(view, vectors)
        else:
            quantizer, held_out = saved.views[view], saved.held_out[view]
            if self._grown:
                marked = np.arange(len(vectors.present)) >= saved.fitted_items
        with self._run.measure("code"):
            coded = _code(quantizer, vectors, marked, self._do)
        if fitted and marked is not None:
            held_out = coded.error_of_marked
        if self._grown and marked is not None:
            self._judge(view, coded, held_out, int(vectors.present[marked].sum()))
        distinct = int(coded.texts.max(initial=-1)) + 1
        self.quantizers[view] = quantizer
        self._codes.append(coded.codes)
        self._texts.append(coded.texts)
        self._views.append(
            {
                "dimension": quantizer.whitening.dimension,
                "distinct_vectors": distinct,
                "explained_variance": round(float(quantizer.whitening.explained.sum()), 6) if fitted else None,
                HELD_OUT_ERROR: None if held_out is None else round(held_out, 6),
                "items": int(vectors.present.sum()),
                "relative_error": round(coded.error, 6),
                "view": view,
            }
        )
        own = coded.codes[vectors.present]
        for level in range(quantizer.levels):
            usage = position_facts(own[:, level], quantizer.codebook_size)
            self._positions.append({"level": level + 1, "view": view, **usage})

    def _judge(self, view: str, coded: _Coded, held_out: float | None, new: int) -> None:
        """Note the error of codebooks that are kept, and say so where they fit new texts worse than they should."""
        assert self._saved is not None
        self._kept.append(
            {
                "view": view,
                "error_of_old": round(coded.error_of_others, 6),
                "new_items": new,
                "error_of_new": round(coded.error_of_marked, 6) if new else None,
                HELD_OUT_ERROR: held_out,
            }
        )
        if not held_out or new < ENOUGH_NEW:
            return
        if coded.error_of_marked > max(_POOR_FIT * held_out, held_out + _DOUBT * coded.doubt):
            self._run.warn(
                f"view {view!r}: the codebooks no longer fit; they lose {coded.error_of_marked:.0%} of the {new:,} new "
                f"texts, where {held_out:.0%} were to be expected (fit new ones with --refit, and train again)"
            )

    def tell_sizes(self) -> None:
        """Say, once for all views, which codebooks are smaller than asked for and which were fitted to few items."""
        size = self._options.codebook_size
        if self._exact:
            self._run.reporter.info(
                f"a code for each distinct vector, of which there are at most {size:,}: {_counted(self._exact)}"
            )
        if self._poor:
            self._run.warn(
                f"few items to fit {size:,} centroids to, where {POINTS_WANTED * size:,} are wanted: "
                f"{_counted(self._poor)} (mind the held-out error, or lower --codebook-size)"
            )

    @property
    def codebook_size(self) -> int:
        """Codes to choose from at a position, K: those of the largest codebook."""
        return max(quantizer.codebook_size for quantizer in self.quantizers.values())

    def codes(self) -> Codes:
        """The codes of all views so far, (N, views x levels)."""
        return np.concatenate(self._codes, axis=1)

    def facts(self) -> dict[str, Any]:
        """What was made, for the lineage and the user."""
        codes = self.codes()
        tuples = tuple_facts(codes)
        kept = {} if self._saved is None else {FITTED_ITEMS: self._saved.fitted_items}
        return {
            "codebook_size": self.codebook_size,
            "codes_per_item": codes.shape[1],
            "distinct_tuples": tuples["distinct"],
            **kept,
            "items": len(codes),
            **({"kept_codebooks": self._kept} if self._kept else {}),
            "largest_collision": tuples["largest"],
            "method": self._options.method,
            "positions": self._positions,
            "unique_share": tuples["unique"],
            "unique_ceiling": tuple_facts(np.stack(self._texts, axis=1))["unique"],
            "views": self._views,
        }

    def _fit(self, view: str, vectors: ViewVectors) -> tuple[ViewQuantizer, float | None, Mask | None]:
        """The quantizer, and the error on held-out items or the items by which it is to be measured."""
        options = self._options
        settings: dict[str, Any] = {"method": options.method, "levels": options.levels, "seed": options.seed}
        sized = {**settings, "codebook_size": options.codebook_size}
        rows = np.flatnonzero(vectors.present)
        with self._run.measure("read"):
            distinct = vectors.distinct_rows(options.codebook_size)
        if distinct is not None:
            return self._exactly(view, vectors, distinct, settings), None, None
        if len(rows) < POINTS_WANTED * options.codebook_size:
            self._poor[view] = len(rows)
        for_whitening, for_codebooks = training_rows(rows, seed=options.seed), codebook_rows(rows, **sized)
        unused = unused_rows(len(vectors.present), rows, [for_whitening, *for_codebooks])
        for_check: tuple[Index, ...] = refitted_rows(rows, options.seed) if unused is None else ()
        with self._run.measure("read"):
            sample = vectors.gather(np.unique(np.concatenate([for_whitening, *for_codebooks, *for_check])))
        with self._run.measure("whiten"):
            whitening = fit_whitening(sample.at(for_whitening), view=view, dimension=options.text_dim, **settings)
        if whitening.dimension < options.text_dim:
            self._run.warn(
                f"view {view!r} is whitened to {whitening.dimension} dimensions instead of {options.text_dim}: "
                f"its {len(rows):,} vectors of {len(whitening.mean)} do not vary in more"
                + (f" (a multiple of --levels {options.levels})" if options.method != "rq" else "")
            )
        with self._run.measure("train"):
            quantizer = fit_quantizer(whitening, lambda level: sample.at(for_codebooks[level]), **sized)
        if unused is not None:
            return quantizer, None, unused
        with self._run.measure("held_out"):
            return quantizer, refitted_error(sample, rows, dimension=options.text_dim, **sized), None

    def _exactly(self, view: str, vectors: ViewVectors, distinct: Index, settings: dict[str, Any]) -> ViewQuantizer:
        """The quantizer of few distinct vectors; no item is held out from what needs no fit."""
        rows = training_rows(np.flatnonzero(vectors.present), seed=self._options.seed)
        with self._run.measure("read"):
            sample = vectors.gather(np.union1d(rows, distinct))
        with self._run.measure("whiten"):
            whitening = fit_whitening(sample.at(rows), view=view, dimension=self._options.text_dim, **settings)
        self._exact[view] = len(distinct)
        method, levels = self._options.method, self._options.levels
        return exact_quantizer(whitening, sample.at(distinct), method=method, levels=levels)


def _counted(views: dict[str, int]) -> str:
    return ", ".join(f"{view!r} ({count:,})" for view, count in views.items())
