from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import stages.embed.file as module
from stages.artifacts.lineage import Lineage, read_lineage
from stages.artifacts.vectors import embedding_views, read_view
from stages.embed.file import write_embeddings
from stages.embed.text_file import TextFile
from stages.embed.texts import DistinctTexts

DIMENSION = 3


def distinct(folder: Path, count: int, rows: dict[str, np.ndarray]) -> DistinctTexts:
    """So many texts, of which nothing but their numbers matters."""
    places = np.zeros(count, np.int64)
    return DistinctTexts(np.zeros((count, 2), np.uint64), places, places, TextFile(folder), rows)


def lineage(items: int) -> Lineage:
    return Lineage("embed", {}, {}, {"dimension": DIMENSION, "items": items})


@pytest.mark.parametrize("row_group", [1, 64 << 20])
def test_each_item_has_the_vector_of_its_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row_group: int) -> None:
    monkeypatch.setattr(module, "_ROW_GROUP_BYTES", row_group)
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((40, DIMENSION)).astype(np.float32)
    rows = {view: rng.integers(-1, 40, 2500).astype(np.int32) for view in ("title", "brand")}
    rows["brand"][1024:2048] = -1  # none in a whole group of rows
    asked = []

    def gather(numbers):
        asked.append(len(numbers))
        return vectors[numbers]

    path = tmp_path / "embeddings.parquet"
    write_embeddings(path, distinct(tmp_path, 40, rows), ["title", "brand"], gather, lineage(2500))
    assert len(asked) == pq.ParquetFile(path).num_row_groups == (3 if row_group == 1 else 1)
    assert sum(asked) == sum(int((of >= 0).sum()) for of in rows.values())
    assert embedding_views(path) == {"title": DIMENSION, "brand": DIMENSION}
    assert read_lineage(path) == lineage(2500)
    for view, of in rows.items():
        matrix, present = read_view(path, view)
        np.testing.assert_array_equal(present, of >= 0)
        np.testing.assert_array_equal(matrix, np.where(present[:, None], vectors[of], 0))


def test_the_order_of_the_columns_is_that_of_the_views(tmp_path: Path) -> None:
    rows = {"title": np.array([0, 1], np.int32), "brand": np.array([1, -1], np.int32), "store": np.zeros(2, np.int32)}
    path = tmp_path / "embeddings.parquet"
    vectors = np.eye(2, DIMENSION, dtype=np.float32)
    write_embeddings(path, distinct(tmp_path, 2, rows), ["brand", "title"], lambda of: vectors[of], lineage(2))
    assert pq.read_table(path).to_pydict() == {
        "item": [1, 2],
        "brand": [[0, 1, 0], None],
        "title": [[1, 0, 0], [0, 1, 0]],
    }
