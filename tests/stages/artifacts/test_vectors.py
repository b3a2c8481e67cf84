from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.artifacts.errors import DataError
from stages.artifacts.lineage import Lineage
from stages.artifacts.tables import write_table
from stages.artifacts.vectors import (
    codes_schema,
    embedding_views,
    embeddings_schema,
    read_codes,
    read_view,
    to_fixed_size_list,
    to_matrix,
)

RNG = np.random.default_rng(0)
VECTORS = RNG.normal(size=(7, 3)).astype(np.float32)
PRESENT = np.array([True, False, True, True, False, True, True])
CODES = RNG.integers(0, 200, (7, 4)).astype(np.uint16)


def embeddings(path: Path, vectors: np.ndarray = VECTORS) -> Path:
    table = pa.table(
        [np.arange(1, 8, dtype=np.int32), to_fixed_size_list(vectors, PRESENT), to_fixed_size_list(vectors[:, :2])],
        schema=embeddings_schema({"title": 3, "brand": 2}),
    )
    write_table(path, table, Lineage("embed", {}, {}), row_group_rows=3)
    return path


def codes(path: Path, facts: dict[str, int] | None, values: np.ndarray = CODES) -> Path:
    table = pa.table(
        [np.arange(1, len(values) + 1, dtype=np.int32), pa.array(list(values), pa.list_(pa.uint16(), 4))],
        names=["item", "codes"],
    )
    if facts is None:
        pq.write_table(table, path)
    else:
        schema = codes_schema(4, facts["codebook_size"])
        write_table(path, table.cast(schema), Lineage("quantize", {}, {}, facts), row_group_rows=3)
    return path


def test_matrix_to_column_and_back() -> None:
    column = to_fixed_size_list(VECTORS, PRESENT)
    assert column.null_count == 2 and column[1].as_py() is None
    matrix, present = to_matrix(column)
    assert (present == PRESENT).all()
    assert (matrix == np.where(PRESENT[:, None], VECTORS, 0)).all()


@pytest.mark.parametrize("present", [None, PRESENT, np.zeros(7, bool)], ids=["all", "some", "none"])
def test_slices_and_chunks(present: np.ndarray | None) -> None:
    column = to_fixed_size_list(VECTORS, present)
    chunked = pa.chunked_array([column.slice(0, 2), column.slice(2, 0), column.slice(2, 5)])
    there = np.ones(7, bool) if present is None else present
    for start in range(7):
        matrix, found = to_matrix(chunked.slice(start))
        assert (found == there[start:]).all()
        assert (matrix == np.where(there[start:, None], VECTORS[start:], 0)).all()


def test_no_rows() -> None:
    matrix, present = to_matrix(pa.chunked_array([], pa.list_(pa.float32(), 3)))
    assert matrix.shape == (0, 3) and present.shape == (0,)


def test_views_and_dimensions_from_the_footer(tmp_path: Path) -> None:
    assert embedding_views(embeddings(tmp_path / "e.parquet")) == {"title": 3, "brand": 2}


def test_view_is_read_with_its_gaps(tmp_path: Path) -> None:
    matrix, present = read_view(embeddings(tmp_path / "e.parquet"), "title")
    assert matrix.dtype == np.float32 and (present == PRESENT).all()
    assert (matrix == np.where(PRESENT[:, None], VECTORS, 0)).all()
    with pytest.raises(DataError, match="column 'price' is missing; there are 'item', 'title', 'brand'"):
        read_view(tmp_path / "e.parquet", "price")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_vectors_that_are_not_finite_are_refused(tmp_path: Path, value: float) -> None:
    vectors = VECTORS.copy()
    vectors[4] = value  # absent in title: not looked at
    assert read_view(embeddings(tmp_path / "e.parquet", vectors), "title")[0].shape == (7, 3)
    vectors[5, 1] = value
    with pytest.raises(DataError, match="column 'title', row 6: the vector is not finite"):
        read_view(embeddings(tmp_path / "e.parquet", vectors), "title")


def test_embeddings_without_views_are_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"item": pa.array([1], pa.int32())}), tmp_path / "e.parquet")
    with pytest.raises(DataError, match="holds no view"):
        embedding_views(tmp_path / "e.parquet")


@pytest.mark.parametrize("kind", [pa.list_(pa.float64()), pa.large_list(pa.float32()), pa.list_(pa.float32())])
def test_plain_lists_of_other_tools(tmp_path: Path, kind: pa.DataType) -> None:
    rows = [row.tolist() if there else None for row, there in zip(VECTORS, PRESENT, strict=True)]
    pq.write_table(pa.table({"item": np.arange(1, 8), "title": pa.array(rows, kind)}), tmp_path / "e.parquet")
    assert embedding_views(tmp_path / "e.parquet") == {"title": 3}
    matrix, present = read_view(tmp_path / "e.parquet", "title")
    assert matrix.dtype == np.float32 and (present == PRESENT).all()
    assert (matrix == np.where(PRESENT[:, None], VECTORS, 0)).all()
    rows[4], rows[5] = [1.0, 2.0], [3.0, 4.0]
    pq.write_table(pa.table({"item": np.arange(1, 8), "title": pa.array(rows, kind)}), tmp_path / "e.parquet")
    with pytest.raises(DataError, match="column 'title', row 5: a list of 2 values, those before have 3"):
        read_view(tmp_path / "e.parquet", "title")


def test_codes_in_plain_lists_of_wide_numbers(tmp_path: Path) -> None:
    path = tmp_path / "c.parquet"
    for kind in (pa.int32(), pa.int64()):
        pq.write_table(pa.table({"item": np.arange(1, 8), "codes": pa.array(CODES.tolist(), pa.list_(kind))}), path)
        values, size = read_codes(path)
        assert (values == CODES).all() and (values.dtype, size) == (np.uint16, CODES.max() + 1)
    for wrong in (-1, 65_536):
        pq.write_table(pa.table({"item": [1], "codes": pa.array([[1, wrong]], pa.list_(pa.int64()))}), path)
        with pytest.raises(DataError, match=rf"column 'codes' does not fit uint16: .*{wrong}"):
            read_codes(path)
    pq.write_table(pa.table({"item": [1], "codes": pa.array([[1, None]], pa.list_(pa.int64()))}), path)
    with pytest.raises(DataError, match="column 'codes' has null codes"):
        read_codes(path)


def test_codes_and_size_of_the_codebook(tmp_path: Path) -> None:
    values, size = read_codes(codes(tmp_path / "c.parquet", {"codebook_size": 256}))
    assert (values == CODES).all() and values.dtype == np.uint16 and size == 256
    # Files of other tools do not say it.
    assert read_codes(codes(tmp_path / "d.parquet", None))[1] == CODES.max() + 1


def test_code_beyond_its_codebook_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"holds code {CODES.max()}, its codebook ends at {CODES.max() - 1}"):
        read_codes(codes(tmp_path / "c.parquet", {"codebook_size": int(CODES.max())}))


def test_items_without_codes_are_refused(tmp_path: Path) -> None:
    values = pa.array([[1, 2], None], pa.list_(pa.uint16(), 2))
    pq.write_table(pa.table({"item": pa.array([1, 2], pa.int32()), "codes": values}), tmp_path / "c.parquet")
    with pytest.raises(DataError, match="row 2 is null"):
        read_codes(tmp_path / "c.parquet")
