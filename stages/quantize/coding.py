"""Codes view after view; of the vectors only samples for training are held, the others pass by in chunks."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.artifacts.errors import DataError
from stages.frame.run import StageRun
from stages.quantize.codebooks import Codes, Mask, ViewQuantizer
from stages.quantize.diagnostics import RowKeys, position_facts, row_numbers, tuple_facts
from stages.quantize.fit import (
    POINTS_WANTED,
    codebook_rows,
    fit_quantizer,
    fit_whitening,
    refitted_error,
    refitted_rows,
    unused_rows,
)
from stages.quantize.options import QuantizeOptions
from stages.quantize.samples import Index, ViewVectors
from stages.whitening import training_rows


@dataclass(frozen=True)
class _Coded:
    """A view after coding.

    Attributes:
        codes: (N, levels).
        texts: (N,) a number for each distinct vector, -1 where the item lacks the view.
        error: relative squared error of all vectors.
        error_of_unused: of those that were fitted to in no way.
    """

    codes: Codes
    texts: npt.NDArray[np.int32]
    error: float
    error_of_unused: float


def _code(quantizer: ViewQuantizer, vectors: ViewVectors, unused: Mask | None) -> _Coded:
    present = vectors.present
    codes = np.empty((len(present), quantizer.levels), np.uint16)
    codes[~present] = quantizer.encode(np.zeros((1, quantizer.whitening.dimension), np.float32))
    keys = RowKeys()
    squares = np.zeros((2, 2))
    for place, matrix in vectors.chunks():
        whitened = quantizer.whitening.apply(matrix)
        own = quantizer.encode(whitened)
        codes[place][present[place]] = own
        keys.add(whitened)
        lost = quantizer.squares(whitened, own)
        squares[0] += lost.sum(axis=0)
        if unused is not None:
            squares[1] += lost[unused[place][present[place]]].sum(axis=0)
    texts = np.full(len(present), -1, np.int32)
    texts[present] = row_numbers(keys.rows())
    error, of_unused = (float(lost / kept) if kept else 0.0 for lost, kept in squares)
    return _Coded(codes, texts, error, of_unused)


class CatalogueCoder:
    """Quantizes the views of a catalogue one after the other.

    Args:
        embeddings: ``embeddings.parquet``.
        options: of the stage.
        run: takes warnings and timings.

    Attributes:
        quantizers: of the views so far.
    """

    def __init__(self, embeddings: Path, options: QuantizeOptions, run: StageRun) -> None:
        self.quantizers: dict[str, ViewQuantizer] = {}
        self._embeddings = embeddings
        self._options = options
        self._run = run
        self._codes: list[Codes] = []
        self._texts: list[npt.NDArray[np.int32]] = []
        self._views: list[dict[str, Any]] = []
        self._positions: list[dict[str, Any]] = []

    def add(self, view: str, dimension: int, quantizer: ViewQuantizer | None) -> None:
        """Code one view of vectors with ``dimension`` components, fitting its quantizer first unless one is given."""
        with self._run.measure("read"):
            vectors = ViewVectors(self._embeddings, view, dimension)
        fitted, held_out, unused = quantizer is None, None, None
        if quantizer is None:
            self._check_size(view, int(vectors.present.sum()))
            quantizer, held_out, unused = self._fit(view, vectors)
        with self._run.measure("code"):
            coded = _code(quantizer, vectors, unused)
        if unused is not None:
            held_out = coded.error_of_unused
        distinct = int(coded.texts.max(initial=-1)) + 1
        if fitted and distinct < quantizer.codebook_size:
            self._run.warn(
                f"view {view!r} has {distinct:,} distinct vectors for codebooks of {quantizer.codebook_size:,}; "
                "lower --codebook-size, or leave the view out"
            )
        self.quantizers[view] = quantizer
        self._codes.append(coded.codes)
        self._texts.append(coded.texts)
        self._views.append(
            {
                "dimension": quantizer.whitening.dimension,
                "distinct_vectors": distinct,
                "explained_variance": round(float(quantizer.whitening.explained.sum()), 6) if fitted else None,
                "held_out_error": None if held_out is None else round(held_out, 6),
                "items": int(vectors.present.sum()),
                "relative_error": round(coded.error, 6),
                "view": view,
            }
        )
        own = coded.codes[vectors.present]
        for level in range(quantizer.levels):
            usage = position_facts(own[:, level], quantizer.codebook_size)
            self._positions.append({"level": level + 1, "view": view, **usage})

    def codes(self) -> Codes:
        """The codes of all views so far, (N, views x levels)."""
        return np.concatenate(self._codes, axis=1)

    def facts(self) -> dict[str, Any]:
        """What was made, for the lineage and the user."""
        codes = self.codes()
        tuples = tuple_facts(codes)
        return {
            "codebook_size": self._options.codebook_size,
            "codes_per_item": codes.shape[1],
            "distinct_tuples": tuples["distinct"],
            "items": len(codes),
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

    def _check_size(self, view: str, items: int) -> None:
        size = self._options.codebook_size
        if items < size:
            fits = 1 << max(1, items.bit_length() - 1)
            raise DataError(
                f"{self._embeddings}: {items:,} items have view {view!r}, fewer than --codebook-size {size:,}",
                f"Use --codebook-size {fits} or less, or embed without this view."
                if items > 1
                else "Embed without this view.",
            )
        if items < POINTS_WANTED * size:
            self._run.warn(
                f"view {view!r} has {items:,} items to fit {size:,} centroids to; {POINTS_WANTED * size:,} are wanted "
                "(mind the held-out error, or lower --codebook-size)"
            )
