import numpy as np
import pytest

from stages.quantize.codebooks import ViewQuantizer, nearest
from stages.whitening import Whitening

NOTHING = Whitening(np.zeros(4, np.float32), np.eye(4, dtype=np.float32), np.zeros(0))


def test_nearest_agrees_with_all_distances_whatever_the_batch() -> None:
    rng = np.random.default_rng(0)
    vectors, centroids = rng.standard_normal((3000, 7)).astype("f4"), rng.standard_normal((2048, 7)).astype("f4")
    chosen = nearest(vectors, centroids)
    distances = np.square(vectors[:300, None].astype(float) - centroids[None]).sum(axis=2)
    np.testing.assert_array_equal(chosen[:300], distances.argmin(axis=1))
    np.testing.assert_array_equal(chosen[1234:1240], nearest(vectors[1234:1240], centroids))


def test_product_codes_code_each_slice_on_its_own() -> None:
    codebooks = np.array([[[0, 0], [1, 1]], [[5, 5], [6, 6]]], np.float32)
    quantizer = ViewQuantizer("pq", NOTHING, codebooks)
    vectors = np.array([[0.1, 0, 6, 6.2], [1, 0.9, 5, 5]], np.float32)
    codes = quantizer.encode(vectors)
    np.testing.assert_array_equal(codes, [[0, 1], [1, 0]])
    np.testing.assert_array_equal(quantizer.decode(codes), [[0, 0, 6, 6], [1, 1, 5, 5]])
    lost = 0.1**2 + 0.2**2 + 0.1**2
    assert quantizer.relative_error(vectors, codes) == pytest.approx(lost / np.square(vectors).sum(), rel=1e-5)


def test_residual_codes_code_what_is_left() -> None:
    codebooks = np.array([[[0, 0, 0, 0], [4, 4, 4, 4]], [[-1, 0, 0, 0], [1, 0, 0, 0]]], np.float32)
    quantizer = ViewQuantizer("rq", NOTHING, codebooks)
    vectors = np.array([[5, 4, 4, 4], [3, 4, 4, 4], [1, 0, 0, 0]], np.float32)
    before = vectors.copy()
    codes = quantizer.encode(vectors)
    np.testing.assert_array_equal(codes, [[1, 1], [1, 0], [0, 1]])
    np.testing.assert_array_equal(quantizer.decode(codes), vectors)
    np.testing.assert_array_equal(vectors, before)
    assert quantizer.relative_error(vectors, codes) == 0
