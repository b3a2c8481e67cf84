from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from stages.artifacts.errors import DataError
from stages.artifacts.lineage import Lineage
from stages.artifacts.names import EMBEDDINGS
from stages.artifacts.tables import write_table
from stages.artifacts.vectors import embeddings_schema, to_fixed_size_list
from stages.quantize.samples import Sample, ViewVectors

MakeEmbeddings = Callable[..., Path]


def test_chunks_hold_the_vectors_there_are(make_embeddings: MakeEmbeddings, vectors) -> None:
    matrix = vectors(90, 5)
    lacking = np.random.default_rng(1).random(90) < 0.3
    matrix[lacking] = np.nan
    view = ViewVectors(make_embeddings({"title": matrix}) / EMBEDDINGS, "title", 5)
    np.testing.assert_array_equal(view.present, ~lacking)
    end, parts = 0, []
    for place, part in view.chunks():
        assert place.start == end
        assert len(part) == view.present[place].sum()
        end = place.stop
        parts.append(part)
    assert end == 90
    np.testing.assert_array_equal(np.concatenate(parts), matrix[~lacking])


def test_finds_the_first_of_each_distinct_vector(make_embeddings: MakeEmbeddings, vectors) -> None:
    matrix = vectors(4, 5)[[0, 0, 1, 2, 1, 3, 3]]
    matrix[[0, 5]] = np.nan
    view = ViewVectors(make_embeddings({"title": matrix}) / EMBEDDINGS, "title", 5)
    found = view.distinct_rows(4)
    assert found is not None
    np.testing.assert_array_equal(found, [1, 2, 3, 6])
    assert view.distinct_rows(3) is None


def test_gathers_what_is_asked_for(make_embeddings: MakeEmbeddings, vectors) -> None:
    matrix = vectors(90, 5)
    matrix[10] = np.nan
    view = ViewVectors(make_embeddings({"title": matrix}) / EMBEDDINGS, "title", 5)
    rows = np.array([0, 9, 11, 42, 89])
    sample = view.gather(rows)
    np.testing.assert_array_equal(sample.at(rows), matrix[rows])
    np.testing.assert_array_equal(sample.at(np.array([42, 0, 42])), matrix[[42, 0, 42]])
    assert view.gather(rows[:0]).at(rows[:0]).shape == (0, 5)


def test_a_sample_is_asked_by_the_rows_of_the_catalogue() -> None:
    sample = Sample(np.array([3, 7, 8]), np.array([[3.0], [7.0], [8.0]], np.float32))
    np.testing.assert_array_equal(sample.at(np.array([8, 3])), [[8], [3]])


def test_vectors_that_cannot_be_used_are_refused(tmp_path: Path, vectors) -> None:
    matrix, path = vectors(5, 3), tmp_path / EMBEDDINGS
    matrix[2, 1] = np.inf
    table = pa.table(
        [pa.array(range(1, 6), pa.int32()), to_fixed_size_list(matrix)], schema=embeddings_schema({"title": 3})
    )
    write_table(path, table, Lineage("embed", {}, {}))
    with pytest.raises(DataError, match="title"):
        ViewVectors(path, "title", 3)
    with pytest.raises(DataError, match="brand"):
        ViewVectors(path, "brand", 3)
