from typing import Any

import numpy as np
import pytest

from stages.artifacts.errors import DataError
from stages.quantize.fit import (
    codebook_rows,
    exact_quantizer,
    fit_quantizer,
    fit_whitening,
    refitted_error,
    refitted_rows,
    unused_rows,
)
from stages.quantize.samples import Sample

SIZED: dict[str, Any] = {"levels": 3, "codebook_size": 4, "seed": 0}


def test_slices_are_of_one_width(vectors) -> None:
    matrix = vectors(80, 8)
    settings = {"view": "title", "levels": 3, "dimension": 8, "seed": 0}
    whole, cut = fit_whitening(matrix, method="rq", **settings), fit_whitening(matrix, method="pq", **settings)
    assert (whole.dimension, cut.dimension) == (8, 6)
    np.testing.assert_array_equal(cut.apply(matrix), whole.apply(matrix)[:, :6])
    np.testing.assert_array_equal(cut.explained, whole.explained[:6])


def test_vectors_that_vary_in_few_directions_have_slices_that_say_nothing(vectors) -> None:
    flat = np.zeros((50, 8), np.float32)
    flat[:, :2] = vectors(50, 2)
    padded = fit_whitening(flat, view="title", method="pq", levels=3, dimension=8, seed=0)
    assert padded.dimension == len(padded.explained) == 3
    assert padded.explained.sum() == pytest.approx(1)
    whitened = padded.apply(flat)
    np.testing.assert_allclose(np.cov(whitened[:, :2].T), np.eye(2), atol=1e-4)
    assert not whitened[:, 2].any()


def test_vectors_that_do_not_vary_are_refused() -> None:
    with pytest.raises(DataError, match="vary in 0 directions"):
        fit_whitening(np.ones((50, 8), np.float32), view="title", method="rq", levels=1, dimension=8, seed=0)


def test_each_slice_has_a_sample_of_its_own() -> None:
    rows = np.arange(0, 8000, 2)
    samples = codebook_rows(rows, method="pq", **SIZED)
    assert [len(sample) for sample in samples] == [4 * 256] * 3
    for sample in samples:
        assert np.isin(sample, rows).all()
        assert (np.diff(sample) > 0).all()
    assert not np.array_equal(samples[0], samples[1])
    assert len(codebook_rows(rows, method="rq", **SIZED)) == 1
    for sample in codebook_rows(rows[:1024], method="pq", **SIZED):
        np.testing.assert_array_equal(sample, rows[:1024])


@pytest.mark.parametrize("method", ["pq", "rq"])
def test_codebooks_find_the_centres_there_are(method: str) -> None:
    rng = np.random.default_rng(0)
    centres = 10 * np.eye(4, 6, dtype=np.float32)
    matrix = centres[rng.integers(0, 4, 200)] + rng.normal(scale=1e-3, size=(200, 6)).astype(np.float32)
    whitening = fit_whitening(matrix, view="title", method=method, levels=3, dimension=3, seed=0)
    fitted = fit_quantizer(whitening, lambda _: matrix, method=method, **SIZED)
    assert fitted.codebooks.shape == (3, 4, 1 if method == "pq" else 3)
    whitened = whitening.apply(matrix)
    assert fitted.relative_error(whitened, fitted.encode(whitened)) < 0.05
    again = fit_quantizer(whitening, lambda _: matrix.copy(), method=method, **SIZED)
    np.testing.assert_array_equal(again.codebooks, fitted.codebooks)


@pytest.mark.parametrize("method", ["pq", "rq"])
def test_each_distinct_vector_is_a_centroid(vectors, method: str) -> None:
    distinct = vectors(5, 8)
    whitening = fit_whitening(np.repeat(distinct, 9, axis=0), view="t", method=method, levels=2, dimension=8, seed=0)
    found = exact_quantizer(whitening, distinct, method=method, levels=2)
    assert found.codebooks.shape == (2, 5, whitening.dimension // (2 if method == "pq" else 1))
    whitened = whitening.apply(distinct)
    codes = found.encode(whitened)
    assert len(np.unique(codes, axis=0)) == 5
    assert found.relative_error(whitened, codes) < 1e-9


def test_rows_that_nothing_was_fitted_to_count_from_a_few_thousand() -> None:
    rows = np.arange(1, 20_000)
    used = [np.arange(0, 5_000), np.arange(4_000, 10_000)]
    mask = unused_rows(20_000, rows, used)
    assert mask is not None
    np.testing.assert_array_equal(np.flatnonzero(mask), np.arange(10_000, 20_000))
    assert unused_rows(20_000, rows, [np.arange(0, 15_000)]) is None
    few = np.arange(100)
    held, others = refitted_rows(few, 3)
    assert (len(held), len(others)) == (10, 90)
    np.testing.assert_array_equal(np.sort(np.concatenate([held, others])), few)


def test_the_error_on_rows_left_out(vectors) -> None:
    matrix, rows = vectors(300, 8), np.arange(300)
    sample = Sample(rows, matrix)
    settings: dict[str, Any] = {"method": "pq", "levels": 2, "dimension": 8, "seed": 0}
    fine = refitted_error(sample, rows, codebook_size=32, **settings)
    coarse = refitted_error(sample, rows, codebook_size=2, **settings)
    assert fine is not None
    assert coarse is not None
    assert 0 < fine < coarse < 1.2
    assert refitted_error(sample, rows[:30], codebook_size=28, **settings) is None
    alike = np.ones((30, 8), np.float32)
    assert refitted_error(Sample(rows[:30], alike), rows[:30], codebook_size=2, **settings) is None
