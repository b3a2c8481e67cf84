import numpy as np
import pyarrow as pa
import pytest

from stages.artifacts import parquet_file
from stages.artifacts.lineage import Lineage
from stages.artifacts.parquet_file import open_parquet
from stages.artifacts.tables import write_table
from stages.artifacts.vectors import embedding_views, embeddings_schema, iterate_view, read_view, to_fixed_size_list

VECTORS = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
PRESENT = np.array([False, True, True, True, False, True, True])


@pytest.fixture
def path(tmp_path):
    columns = [
        np.arange(1, 8, dtype=np.int32),
        to_fixed_size_list(VECTORS, PRESENT),
        to_fixed_size_list(VECTORS[:, :2]),
    ]
    table = pa.table(columns, schema=embeddings_schema({"title": 3, "brand": 2}))
    write_table(tmp_path / "embeddings.parquet", table, Lineage("embed", {}, {}), row_group_rows=3)
    return tmp_path / "embeddings.parquet"


@pytest.fixture(params=["as it is", "earlier"])
def version(request, monkeypatch):
    if request.param == "earlier":
        monkeypatch.setattr(parquet_file, "READS_NULLS", (1000, 0, 0))
    elif tuple(int(part) for part in pa.__version__.split(".")[:3]) < parquet_file.READS_NULLS:
        pytest.skip(f"pyarrow {pa.__version__} is an earlier one")
    return request.param


def test_nulls_among_fixed_size_lists_are_read_by_an_earlier_pyarrow(path, version):
    assert embedding_views(path) == {"title": 3, "brand": 2}
    for (vectors, present), expected in (
        (read_view(path, "title"), PRESENT),
        (read_view(path, "brand"), PRESENT | True),
    ):
        np.testing.assert_array_equal(present, expected)
        np.testing.assert_array_equal(vectors, VECTORS[:, : vectors.shape[1]] * expected[:, None])
    parts = list(iterate_view(path, "title", 3, rows=2))
    np.testing.assert_array_equal(np.concatenate([present for _, present in parts]), PRESENT)


def test_an_earlier_pyarrow_reads_them_as_plain_lists(path, version):
    with open_parquet(path) as file:
        kinds = {field.name: field.type for field in file.schema_arrow}
    assert kinds["item"] == pa.int32()
    assert pa.types.is_fixed_size_list(kinds["title"]) == (version == "as it is")
    assert pa.types.is_list(kinds["title"]) == (version == "earlier")
