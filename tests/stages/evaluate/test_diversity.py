import itertools

import numpy as np
import pyarrow as pa
import pytest

import stages.evaluate.diversity as module
from stages.artifacts.lineage import Lineage
from stages.artifacts.tables import write_table
from stages.artifacts.vectors import embeddings_schema, to_fixed_size_list
from stages.evaluate.diversity import intra_list_diversity


def _write(path, views):
    """Views as matrices and which rows they have."""
    items = len(next(iter(views.values()))[0])
    columns = [to_fixed_size_list(matrix.astype(np.float32), present) for matrix, present in views.values()]
    schema = embeddings_schema({name: matrix.shape[1] for name, (matrix, _) in views.items()})
    table = pa.table([pa.array(np.arange(1, items + 1), pa.int32()), *columns], schema=schema)
    write_table(path, table, Lineage("embed", {}, {}), compression="none")
    return path


def _lists(*lists):
    return np.array(lists, np.int32)


@pytest.mark.parametrize("budget", [1 << 24, 9])
def test_equals_the_mean_over_all_pairs(tmp_path, monkeypatch, budget):
    monkeypatch.setattr(module, "_FLOATS", budget)
    rng = np.random.default_rng(0)
    views = {"title": (rng.normal(size=(30, 5)), rng.random(30) > 0.2), "brand": (rng.normal(size=(30, 3)), None)}
    views["brand"] = (views["brand"][0], rng.random(30) > 0.4)
    path = _write(tmp_path / "embeddings.parquet", views)
    joined = np.concatenate(
        [
            np.where(present[:, None], matrix / np.linalg.norm(matrix, axis=1)[:, None], 0)
            for matrix, present in views.values()
        ],
        axis=1,
    )
    lists = rng.integers(0, 31, (8, 6)).astype(np.int32)
    expected = []
    for row in lists:
        vectors = [joined[i - 1] for i in row if i and joined[i - 1].any()]
        pairs = [a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in itertools.combinations(vectors, 2)]
        if pairs:
            expected.append(1 - np.mean(pairs))
    assert intra_list_diversity(path, lists) == pytest.approx(np.mean(expected), abs=1e-6)


def test_known_values(tmp_path):
    matrix = np.array([[2.0, 0], [0, 3], [4, 0], [-1, 0], [0, 0]])
    path = _write(tmp_path / "embeddings.parquet", {"title": (matrix, None)})
    assert intra_list_diversity(path, _lists([1, 3])) == pytest.approx(0)
    assert intra_list_diversity(path, _lists([1, 2])) == pytest.approx(1)
    assert intra_list_diversity(path, _lists([1, 4])) == pytest.approx(2)
    assert intra_list_diversity(path, _lists([1, 2, 3])) == pytest.approx(2 / 3)
    # An item without text, and lists of one, say nothing.
    assert intra_list_diversity(path, _lists([1, 2, 5], [1, 0, 0])) == pytest.approx(1)
    assert intra_list_diversity(path, _lists([1, 5, 0])) is None
