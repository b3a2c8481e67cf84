import numpy as np
import pytest

from stages.whitening import whiten


def correlated(rows: int, d: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    scales = np.linspace(3.0, 0.1, d)
    return ((rng.standard_normal((rows, d)) * scales) @ rng.standard_normal((d, d)) + 5).astype(np.float32)


def test_whitened_vectors_have_identity_covariance() -> None:
    matrix = correlated(5000, 24)
    whitening = whiten(matrix, None, 10)
    result = whitening.apply(matrix)
    assert result.shape == (5000, 10)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(np.cov(result.T), np.eye(10), atol=1e-3)


def test_agrees_with_scikit_learn_up_to_sign() -> None:
    decomposition = pytest.importorskip("sklearn.decomposition")
    matrix = correlated(2000, 16)
    theirs = decomposition.PCA(8, whiten=True, svd_solver="full").fit(matrix.astype(np.float64))
    ours = whiten(matrix, None, 8)
    expected = theirs.transform(matrix)
    result = ours.apply(matrix)
    signs = np.sign((expected * result).sum(axis=0))
    np.testing.assert_allclose(result, expected * signs, atol=2e-3)
    np.testing.assert_allclose(ours.explained, theirs.explained_variance_ratio_, rtol=1e-6)


def test_absent_rows_neither_count_nor_get_a_place() -> None:
    matrix = correlated(300, 8)
    present = np.arange(300) % 3 != 0
    spoiled = matrix.copy()
    spoiled[~present] = 1e6
    first, second = whiten(spoiled, present, 4), whiten(matrix[present], None, 4)
    np.testing.assert_array_equal(first.projection, second.projection)
    result = first.apply(spoiled, present)
    assert not result[~present].any()
    np.testing.assert_array_equal(result[present], second.apply(matrix[present]))


@pytest.mark.parametrize("rank", [1, 3])
def test_low_rank_is_dropped_not_padded(rank: int) -> None:
    rng = np.random.default_rng(1)
    matrix = (rng.standard_normal((400, rank)) @ rng.standard_normal((rank, 20)) + 2).astype(np.float32)
    whitening = whiten(matrix, None, 10)
    assert whitening.dimension == rank
    assert whitening.explained.sum() == pytest.approx(1.0, abs=1e-6)
    np.testing.assert_allclose(whitening.apply(matrix).std(axis=0), 1, atol=0.01)


def test_fewer_rows_than_dimensions() -> None:
    assert whiten(correlated(6, 30), None, 128).dimension == 5


@pytest.mark.parametrize("rows", [0, 1, 50])
def test_equal_vectors_keep_nothing(rows: int) -> None:
    vector = np.random.default_rng(0).standard_normal((1, 12)).astype(np.float32)
    whitening = whiten(np.repeat(vector, rows, axis=0), None, 4)
    assert whitening.dimension == 0
    assert whitening.apply(vector).shape == (1, 0)


def test_signs_are_fixed_and_runs_are_equal() -> None:
    matrix = correlated(500, 12)
    first, mirrored = whiten(matrix, None, 6), whiten(-matrix, None, 6)
    np.testing.assert_allclose(first.projection, mirrored.projection, rtol=1e-4)
    peaks = np.abs(first.projection).argmax(axis=0)
    assert (first.projection[peaks, np.arange(6)] > 0).all()
    np.testing.assert_array_equal(first.projection, whiten(matrix, None, 6).projection)


def test_rows_beyond_the_limit_are_sampled_by_seed() -> None:
    matrix = correlated(3000, 6)
    first = whiten(matrix, None, 3, max_rows=500, seed=1)
    np.testing.assert_array_equal(first.mean, whiten(matrix, None, 3, max_rows=500, seed=1).mean)
    assert (first.mean != whiten(matrix, None, 3, max_rows=500, seed=2).mean).any()


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    matrix = correlated(40_000, 16)
    whitening = whiten(matrix, None, 8)
    whole = whitening.apply(matrix)
    np.testing.assert_array_equal(whole[20_000:20_007], whitening.apply(matrix[20_000:20_007]))
