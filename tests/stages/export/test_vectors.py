import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from whole_histories import write_histories

from stages.artifacts.errors import NotFiniteError
from stages.artifacts.histories import read_histories
from stages.artifacts.lineage import Lineage, read_lineage
from stages.artifacts.names import HISTORIES, ITEMS
from stages.export.vectors import item_vectors, spans, write_user_vectors

LINEAGE = Lineage("export", {}, {})


def test_items_are_of_length_one_in_the_order_of_their_numbers(exported_once, reader):
    table = pq.read_table(exported_once / "export" / "item_vectors.parquet")
    assert table.schema.names == ["item", "item_id", "vector", "bias"]
    assert table["item"].to_pylist() == list(range(1, 61))
    assert table["item_id"] == pq.read_table(exported_once / ITEMS)["item_id"]
    vectors = np.stack(table["vector"].to_numpy())
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    expected = torch.nn.functional.normalize(reader.model.candidate_vectors()[1:], dim=1)
    np.testing.assert_allclose(vectors, expected.detach(), atol=1e-6)


def test_users_are_read_to_their_last_items(exported_once, reader, histories):
    table = pq.read_table(exported_once / "export" / "user_vectors.parquet")
    assert table["user_id"] == histories.user_ids
    bounds = histories.offsets
    for row in (0, 7, 299):
        whole = histories.items[bounds[row] : bounds[row + 1]].tolist()
        read = table["items"][row].as_py()
        assert read == whole[-reader.length :]
        assert table["older"][row].as_py() == sorted({*whole[: -reader.length]} - {*read})
        alone = reader.read(np.array(read, np.int32), np.array([0]), np.array([len(read)]))
        np.testing.assert_allclose(table["vector"][row].as_py(), alone[0], atol=1e-6)
    assert read_lineage(exported_once / "export" / "user_vectors.parquet").stage == "export"


def test_users_without_an_item_get_no_row(reader, tmp_path):
    write_histories(tmp_path, {"none": [], "one": [3], "long": [1, 2, 3, 4, 5, 6, 7, 8], "none again": []})
    found = read_histories(tmp_path / HISTORIES)
    users, start, end = spans(found, 6)
    assert (users.tolist(), start.tolist(), end.tolist()) == ([1, 2], [0, 3], [1, 9])
    path = tmp_path / "users.parquet"
    assert write_user_vectors(path, reader, found, LINEAGE, progress=lambda done: None) == 2
    table = pq.read_table(path)
    assert table["user_id"].to_pylist() == ["one", "long"]
    assert table["items"].to_pylist() == [[3], [3, 4, 5, 6, 7, 8]]
    assert table["older"].to_pylist() == [[], [1, 2]]


def test_vectors_that_are_not_finite_are_refused(reader):
    broken = reader.history_table.clone()
    broken[4] = torch.nan
    with pytest.raises(NotFiniteError, match=r"model\.safetensors: vectors are not finite"):
        item_vectors(reader.model, broken)
