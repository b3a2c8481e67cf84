"""Fitting a view's quantizer: PCA whitening, then k-means per slice or per residual (faiss).

The levels are own code around faiss' k-means: its ``ProductQuantizer`` has the same error (0.729) and codebooks of
powers of two alone; its ``ResidualQuantizer``, whose beam search has 8 % less error in three times the time, has other
bytes for other numbers of threads.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from stages.artifacts.errors import DataError
from stages.frame.threads import available, threads
from stages.quantize.codebooks import Mask, Matrix, ViewQuantizer, nearest
from stages.quantize.samples import Index, Sample
from stages.whitening import Whitening, whiten

POINTS_WANTED = 39
"""Training points per centroid below which faiss calls a codebook poorly supported."""

_POINTS_USED = 256  # per centroid; faiss' own limit, more change nothing but the time
_ITERATIONS = 25
_HELD_OUT = 10  # one row in ten
_HELD_OUT_ROWS = 72_818  # of which nine tenths are what 256 centroids train on


def fit_whitening(vectors: Matrix, *, view: str, method: str, levels: int, dimension: int, seed: int) -> Whitening:
    """Whiten vectors (R, D) of a view to ``dimension`` or what its rank allows; a multiple of ``levels`` for slices.

    Where they vary in fewer directions than there are slices, as those of two or three brands do, the last slices are
    zero and say nothing.

    Raises:
        DataError: when the vectors do not vary.
    """
    whitening = whiten(vectors, None, dimension, seed=seed)
    found = whitening.dimension
    if not found:
        raise DataError(
            f"the vectors of view {view!r} vary in 0 directions, so no code can tell items apart by them",
            "Leave the view out of `cocorec embed --views`.",
        )
    kept = found if method == "rq" else max(found // levels, 1) * levels
    if kept == found:
        return whitening
    projection = np.zeros((len(whitening.mean), kept), np.float32)
    explained = np.zeros(kept)
    projection[:, :found] = whitening.projection[:, :kept]
    explained[:found] = whitening.explained[:kept]
    return Whitening(whitening.mean, projection, explained)


def codebook_rows(rows: Index, *, method: str, levels: int, codebook_size: int, seed: int) -> list[Index]:
    """The rows that each codebook is fitted to, of the rows (R,) that have the view; one sample in all for ``rq``."""
    samples = 1 if method == "rq" else levels
    return [_sample(rows, codebook_size, seed + level) for level in range(samples)]


def fit_quantizer(
    whitening: Whitening,
    samples: Callable[[int], Matrix],
    *,
    method: str,
    levels: int,
    codebook_size: int,
    seed: int,
) -> ViewQuantizer:
    """Fit the codebooks; one result for any number of threads.

    Args:
        whitening: of the view.
        samples: gives the vectors (R, D), before whitening, of the rows that :func:`codebook_rows` chose for a level;
            at least ``codebook_size``.
        method: ``pq`` or ``rq``.
        levels: codebooks, L.
        codebook_size: centroids in each, K.
        seed: decides the first centroids.
    """
    if method == "rq":
        codebooks = _residual_codebooks(whitening.apply(samples(0)), levels, codebook_size, seed)
        return ViewQuantizer(method, whitening, codebooks)
    width = whitening.dimension // levels

    def codebook(level: int) -> Matrix:
        columns = slice(level * width, (level + 1) * width)
        part = Whitening(whitening.mean, whitening.projection[:, columns], whitening.explained[columns])
        return _k_means(part.apply(samples(level)), codebook_size, seed + level)

    # A BLAS with threads of its own beside the slices spends twice the CPU time, and more wall time.
    with ThreadPoolExecutor(min(levels, available())) as pool, threads(1):
        return ViewQuantizer(method, whitening, np.stack(list(pool.map(codebook, range(levels)))))


def exact_quantizer(whitening: Whitening, distinct: Matrix, *, method: str, levels: int) -> ViewQuantizer:
    """The quantizer of a view with so few distinct vectors (n, D) that each is a centroid of its own.

    Codebooks have n centroids. By ``rq`` the first level says all, and the others nothing.
    """
    whitened = whitening.apply(distinct)
    if method == "rq":
        codebooks = np.zeros((levels, *whitened.shape), np.float32)
        codebooks[0] = whitened
    else:
        codebooks = np.stack(np.split(whitened, levels, axis=1))
    return ViewQuantizer(method, whitening, codebooks)


def unused_rows(items: int, rows: Index, used: list[Index]) -> Mask | None:
    """Items (N,) that have the view and that no part of the quantizer was fitted to.

    Args:
        items: N.
        rows: (R,) rows that have the view.
        used: the rows that were fitted to.

    Returns:
        ``None`` where they are too few to judge by, as in all but large catalogues.
    """
    mask = np.zeros(items, np.bool_)
    mask[rows] = True
    for chosen in used:
        mask[chosen] = False
    return mask if mask.sum() >= _HELD_OUT_ROWS // _HELD_OUT else None


def refitted_rows(rows: Index, seed: int) -> tuple[Index, Index]:
    """A tenth of the rows (R,) to be held out, and the others to fit a second quantizer to; of many rows a sample."""
    drawn = np.random.default_rng(seed).permutation(rows)[:_HELD_OUT_ROWS]
    held = max(1, len(drawn) // _HELD_OUT)
    return np.sort(drawn[:held]), np.sort(drawn[held:])


def refitted_error(
    sample: Sample, rows: Index, *, method: str, levels: int, codebook_size: int, dimension: int, seed: int
) -> float | None:
    """Relative squared error on a tenth of the items by a quantizer fitted on the others, whitening included.

    The error on the items that a codebook was fitted to flatters it.

    Args:
        sample: holds the rows that :func:`refitted_rows` gives.
        rows: (R,) rows that have the view.

    Returns:
        The error in whitened space; ``None`` where nine tenths of the items are too few for the codebook or do not
        vary.
    """
    held, others = refitted_rows(rows, seed)
    if len(others) < codebook_size:
        return None
    fitted = sample.at(others)
    try:
        whitening = fit_whitening(fitted, view="held out", method=method, levels=levels, dimension=dimension, seed=seed)
    except DataError:  # what varies lies in the tenth that is left out
        return None
    chosen = codebook_rows(np.arange(len(fitted)), method=method, levels=levels, codebook_size=codebook_size, seed=seed)
    quantizer = fit_quantizer(
        whitening,
        lambda level: fitted[chosen[level]],
        method=method,
        levels=levels,
        codebook_size=codebook_size,
        seed=seed,
    )
    whitened = quantizer.whitening.apply(sample.at(held))
    return quantizer.relative_error(whitened, quantizer.encode(whitened))


def _residual_codebooks(residual: Matrix, levels: int, codebook_size: int, seed: int) -> Matrix:
    codebooks = []
    for level in range(levels):
        centroids = _k_means(residual, codebook_size, seed + level)
        residual -= centroids[nearest(residual, centroids)]
        codebooks.append(centroids)
    return np.stack(codebooks)


def _k_means(points: Matrix, count: int, seed: int) -> Matrix:
    """Centroids (count, s) by Lloyd's iterations from ``count`` random points."""
    import faiss

    # One thread each: sums then run in one order, and slices run side by side instead.
    faiss.omp_set_num_threads(1)
    points = np.ascontiguousarray(points)
    # min_points_per_centroid=1 silences a warning on stderr that the stage words itself.
    clustering = faiss.Kmeans(
        points.shape[1],
        count,
        niter=_ITERATIONS,
        seed=seed % 2**31,
        min_points_per_centroid=1,
        max_points_per_centroid=_POINTS_USED,
    )
    clustering.train(points)
    return np.asarray(clustering.centroids, np.float32).reshape(count, points.shape[1])


def _sample(rows: Index, count: int, seed: int) -> Index:
    if len(rows) <= count * _POINTS_USED:
        return rows
    return rows[np.sort(np.random.default_rng(seed).choice(len(rows), count * _POINTS_USED, replace=False))]
