"""Fitting a view's quantizer: PCA whitening, then k-means per slice or per residual (faiss)."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from stages.artifacts.errors import DataError
from stages.artifacts.whitening import Whitening, whiten
from stages.quantize.codebooks import Mask, Matrix, ViewQuantizer, nearest

POINTS_WANTED = 39
"""Training points per centroid below which faiss calls a codebook poorly supported."""

_POINTS_USED = 256  # per centroid; faiss' own limit, more change nothing but the time
_ITERATIONS = 25
_HELD_OUT = 10  # one row in ten
_HELD_OUT_ROWS = 72_818  # of which nine tenths are what 256 centroids train on


def fit_whitening(
    vectors: Matrix, present: Mask, *, view: str, method: str, levels: int, dimension: int, seed: int
) -> Whitening:
    """Whiten a view to ``dimension``, or to what its rank allows; a multiple of ``levels`` where slices are cut.

    Raises:
        DataError: when the vectors do not vary in enough directions.
    """
    whitening = whiten(vectors, present, dimension, seed=seed)
    kept = whitening.dimension if method == "rq" else whitening.dimension // levels * levels
    if kept < 1:
        raise DataError(
            f"the vectors of view {view!r} vary in {whitening.dimension} directions, too few for --levels {levels}",
            "Leave the view out of `cocorec embed --views`, or lower --levels.",
        )
    if kept == whitening.dimension:
        return whitening
    projection = np.ascontiguousarray(whitening.projection[:, :kept])
    return Whitening(whitening.mean, projection, whitening.explained[:kept])


def fit_quantizer(
    whitening: Whitening, whitened: Matrix, *, method: str, levels: int, codebook_size: int, seed: int
) -> ViewQuantizer:
    """Fit the codebooks to whitened vectors (N, k); one result for any number of threads.

    Args:
        whitening: what made ``whitened``.
        whitened: at least ``codebook_size`` rows.
        method: ``pq`` or ``rq``.
        levels: codebooks, L.
        codebook_size: centroids in each, K.
        seed: decides the sample and the first centroids.
    """
    if method == "rq":
        codebooks = _residual_codebooks(whitened, levels, codebook_size, seed)
    else:
        slices = np.split(whitened, levels, axis=1)
        with ThreadPoolExecutor(min(levels, _cores())) as pool:
            jobs = [pool.submit(_k_means, part, codebook_size, seed + j) for j, part in enumerate(slices)]
            codebooks = np.stack([job.result() for job in jobs])
    return ViewQuantizer(method, whitening, codebooks)


def held_out_error(
    vectors: Matrix, present: Mask, *, method: str, levels: int, codebook_size: int, dimension: int, seed: int
) -> float | None:
    """Relative squared error on a tenth of the items by a quantizer fitted on the others, whitening included.

    The error on the items that a codebook was fitted to flatters it. Large views are sampled.

    Returns:
        The error in whitened space; ``None`` where nine tenths of the items are too few for the codebook or do not
        vary.
    """
    generator = np.random.default_rng(seed)
    rows = generator.permutation(np.flatnonzero(present))[:_HELD_OUT_ROWS]
    held = max(1, len(rows) // _HELD_OUT)
    fitted = vectors[np.sort(rows[held:])]
    if len(fitted) < codebook_size:
        return None
    everyone = np.ones(len(fitted), np.bool_)
    try:
        whitening = fit_whitening(
            fitted, everyone, view="held out", method=method, levels=levels, dimension=dimension, seed=seed
        )
    except DataError:  # what varies lies in the tenth that is left out
        return None
    quantizer = fit_quantizer(
        whitening,
        whitening.apply(fitted),
        method=method,
        levels=levels,
        codebook_size=codebook_size,
        seed=seed,
    )
    others = quantizer.whitening.apply(vectors[np.sort(rows[:held])])
    return quantizer.relative_error(others, quantizer.encode(others))


def _residual_codebooks(whitened: Matrix, levels: int, codebook_size: int, seed: int) -> Matrix:
    residual = _sample(whitened, codebook_size, seed).copy()
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
    points = np.ascontiguousarray(_sample(points, count, seed))
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


def _sample(points: Matrix, count: int, seed: int) -> Matrix:
    if len(points) <= count * _POINTS_USED:
        return points
    rows = np.random.default_rng(seed).choice(len(points), count * _POINTS_USED, replace=False)
    return points[np.sort(rows)]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
