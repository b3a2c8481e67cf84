"""The quantize stage: ``embeddings.parquet`` to ``codes.parquet`` and ``quantizer.safetensors``."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stages.artifacts import names
from stages.artifacts.errors import DataError
from stages.artifacts.fingerprints import Fingerprints
from stages.artifacts.lineage import RAW, Lineage, fresh_lineage, read_lineage, require_consistent
from stages.artifacts.names import Columns
from stages.artifacts.tables import write_table
from stages.artifacts.vectors import codes_schema, embedding_views, to_fixed_size_list
from stages.frame.reporter import Reporter
from stages.frame.result import Result
from stages.quantize.codebooks import Codes, Mask, ViewQuantizer
from stages.quantize.diagnostics import RowKeys, position_facts, row_numbers, tuple_facts
from stages.quantize.file import SavedQuantizer, load_quantizer, save_quantizer
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
from stages.quantize.stopwatch import Stopwatch
from stages.whitening import training_rows

_DEFAULTS = QuantizeOptions()


def quantize(
    *,
    workdir: Path,
    method: str = _DEFAULTS.method,
    levels: int = _DEFAULTS.levels,
    codebook_size: int = _DEFAULTS.codebook_size,
    dimension: int = _DEFAULTS.dimension,
    seed: int = _DEFAULTS.seed,
    codebooks: Path | None = None,
    force: bool = False,
    reporter: Reporter | None = None,
) -> Result:
    """Turn the vectors of each view into codes; write ``codes.parquet`` and ``quantizer.safetensors``.

    Each view is whitened by PCA and coded on its own, so that no code mixes two views. An item without a view is
    coded as the view's mean, so that all such items share their codes there. Coding is a function of what
    ``quantizer.safetensors`` holds: with ``codebooks`` the same vectors get the same codes again.

    Args:
        workdir: the work directory.
        method: ``pq`` (product quantization: each level codes an equal slice) or ``rq`` (residual quantization: each
            level codes what those before it left, taking the nearest centroid).
        levels: codes per view.
        codebook_size: values of a code, K, at most 65,536.
        dimension: of the whitened vectors; fewer where a view has fewer, or varies in fewer directions.
        seed: of samples and first centroids.
        codebooks: code with this ``quantizer.safetensors``, which also decides the options above; fit nothing.
        force: run even if the codes are up to date.
        reporter: where progress and messages go.

    Raises:
        UsageError: an option that does not fit.
        DataError: an input that is missing, broken, too small, or does not fit the codebooks.
    """
    workdir, reporter = Path(workdir), reporter or Reporter()
    options = QuantizeOptions(method, levels, codebook_size, dimension, seed)
    if codebooks is None:
        options.check()
    embeddings = workdir / names.EMBEDDINGS
    fingerprints = Fingerprints(workdir)
    inputs = {names.EMBEDDINGS: fingerprints.of(embeddings)}  # first of all: it finds damage
    dimensions = embedding_views(embeddings)
    require_consistent(workdir, [names.EMBEDDINGS], fingerprints)
    source = read_lineage(embeddings)
    if source and names.ITEMS in source.inputs:
        inputs[names.ITEMS] = source.inputs[names.ITEMS]
    saved = None
    if codebooks is not None:
        saved = load_quantizer(Path(codebooks))
        options = options.of_codebooks(str(codebooks), saved.options)
        _check_views(Path(codebooks), saved, embeddings, dimensions)
        inputs[f"{RAW}{Path(codebooks).name}"] = saved.fingerprint

    outputs = {name: workdir / name for name in (names.CODES, names.QUANTIZER)}
    fresh, _ = fresh_lineage(workdir, "quantize", asdict(options), inputs)
    if fresh and not force:
        return Result("quantize", outputs, fresh.facts, skipped=True)

    work = _Work(embeddings, options, reporter)
    with reporter.track("quantizing", len(dimensions), "views") as advance:
        for view in saved.views if saved else dimensions:
            work.add(view, dimensions[view], saved.views[view] if saved else None)
            advance(1)
    with work.watch.measure("write"):
        lineage = Lineage("quantize", asdict(options), inputs, work.facts())
        codes = work.codes()
        numbers = pa.array(np.arange(1, len(codes) + 1, dtype=np.int32))
        schema = codes_schema(codes.shape[1])
        columns = {Columns.ITEM: numbers, Columns.CODES: to_fixed_size_list(codes).cast(schema.field(1).type)}
        save_quantizer(outputs[names.QUANTIZER], work.quantizers, lineage)
        write_table(outputs[names.CODES], pa.table(columns, schema=schema), lineage)
    return Result("quantize", outputs, lineage.facts, warnings=tuple(work.warnings), timings=work.watch.seconds)


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
    for place, matrix in vectors.pieces():
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


class _Work:
    """Quantizes view after view; of the vectors only samples for training are held, the others pass by in pieces."""

    def __init__(self, embeddings: Path, options: QuantizeOptions, reporter: Reporter) -> None:
        self.quantizers: dict[str, ViewQuantizer] = {}
        self.warnings: list[str] = []
        self.watch = Stopwatch()
        self._embeddings = embeddings
        self._options = options
        self._reporter = reporter
        self._codes: list[Codes] = []
        self._texts: list[npt.NDArray[np.int32]] = []
        self._views: list[dict[str, Any]] = []
        self._positions: list[dict[str, Any]] = []

    def add(self, view: str, dimension: int, quantizer: ViewQuantizer | None) -> None:
        """Code one view of vectors with ``dimension`` components, fitting its quantizer first unless one is given."""
        with self.watch.measure("read"):
            vectors = ViewVectors(self._embeddings, view, dimension)
        fitted, held_out, unused = quantizer is None, None, None
        if quantizer is None:
            self._check_size(view, int(vectors.present.sum()))
            quantizer, held_out, unused = self._fit(view, vectors)
        with self.watch.measure("code"):
            coded = _code(quantizer, vectors, unused)
        if unused is not None:
            held_out = coded.error_of_unused
        distinct = int(coded.texts.max(initial=-1)) + 1
        if fitted and distinct < quantizer.codebook_size:
            self._warn(
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
        with self.watch.measure("read"):
            sample = vectors.gather(np.unique(np.concatenate([for_whitening, *for_codebooks, *for_check])))
        with self.watch.measure("whiten"):
            whitening = fit_whitening(sample.at(for_whitening), view=view, dimension=options.dimension, **settings)
        if whitening.dimension < options.dimension:
            self._warn(
                f"view {view!r} is whitened to {whitening.dimension} dimensions instead of {options.dimension}: "
                f"its {len(rows):,} vectors of {len(whitening.mean)} do not vary in more"
                + (f" (a multiple of --levels {options.levels})" if options.method != "rq" else "")
            )
        with self.watch.measure("train"):
            quantizer = fit_quantizer(whitening, lambda level: sample.at(for_codebooks[level]), **sized)
        if unused is not None:
            return quantizer, None, unused
        with self.watch.measure("held_out"):
            return quantizer, refitted_error(sample, rows, dimension=options.dimension, **sized), None

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
            self._warn(
                f"view {view!r} has {items:,} items to fit {size:,} centroids to; {POINTS_WANTED * size:,} are wanted "
                "(mind the held-out error, or lower --codebook-size)"
            )

    def _warn(self, message: str) -> None:
        self.warnings.append(message)
        self._reporter.warn(message)


def _check_views(codebooks: Path, saved: SavedQuantizer, embeddings: Path, dimensions: Mapping[str, int]) -> None:
    if set(saved.views) != set(dimensions):
        raise DataError(
            f"{codebooks} has codebooks for {', '.join(saved.views)}; {embeddings} has {', '.join(dimensions)}",
            f"Run `cocorec embed --views {','.join(saved.views)}`, or make new codebooks without --codebooks.",
        )
    for view, quantizer in saved.views.items():
        expected = len(quantizer.whitening.mean)
        if expected != dimensions[view]:
            raise DataError(
                f"{codebooks}: view {view!r} was fitted to vectors of {expected} dimensions; {embeddings} has "
                f"{dimensions[view]}",
                "Embed with the model that the codebooks were made with.",
            )
