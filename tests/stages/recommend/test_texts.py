import numpy as np
import pyarrow as pa
import pytest

from stages.artifacts.errors import DataError
from stages.artifacts.lineage import Lineage
from stages.artifacts.tables import write_table
from stages.artifacts.vectors import embeddings_schema, to_fixed_size_list
from stages.recommend.texts import text_vectors


def write(path, views, missing):
    """Embeddings of these views, missing where that is said."""
    columns = [to_fixed_size_list(matrix, ~gone) for matrix, gone in zip(views, missing, strict=True)]
    sizes = {f"view{i}": matrix.shape[1] for i, matrix in enumerate(views)}
    numbers = pa.array(np.arange(1, len(views[0]) + 1), pa.int32())
    table = pa.table([numbers, *columns], schema=embeddings_schema(sizes))
    write_table(path, table, Lineage("embed", {}, {}), compression="none")


def test_cosines_are_the_mean_of_those_of_the_views(tmp_path):
    rng = np.random.default_rng(0)
    views = [rng.normal(size=(5, 4)).astype(np.float32), 100 * rng.normal(size=(5, 3)).astype(np.float32)]
    write(tmp_path / "embeddings.parquet", views, [np.zeros(5, bool)] * 2)
    vectors = text_vectors(tmp_path / "embeddings.parquet").numpy()
    assert (vectors.shape, vectors.dtype) == ((6, 7), np.float32)
    assert not vectors[0].any()
    units = [matrix / np.linalg.norm(matrix, axis=1, keepdims=True) for matrix in views]
    expected = sum(unit @ unit.T for unit in units) / 2
    found = vectors[1:] / np.linalg.norm(vectors[1:], axis=1, keepdims=True)
    np.testing.assert_allclose(found @ found.T, expected, atol=1e-6)


def test_a_missing_view_is_zero(tmp_path):
    views = [np.array([[3, 4], [1, 0]], np.float32), np.array([[0, 2], [5, 5]], np.float32)]
    write(tmp_path / "embeddings.parquet", views, [np.array([False, True]), np.array([False, True])])
    vectors = text_vectors(tmp_path / "embeddings.parquet").numpy()
    np.testing.assert_allclose(vectors, [[0, 0, 0, 0], [0.6, 0.8, 0, 1], [0, 0, 0, 0]], rtol=1e-6)


def test_embeddings_must_be_there(tmp_path):
    with pytest.raises(DataError, match=r"embeddings\.parquet"):
        text_vectors(tmp_path / "embeddings.parquet")
