import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import stages.preprocess
from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.lineage import Lineage
from stages.artifacts.tables import write_table
from stages.recommend.files import (
    is_standard_input,
    item_columns,
    read_ids,
    require_file,
    require_readers,
    standard_input,
    usual_columns,
)


def test_what_is_no_file_is_named(tmp_path):
    (tmp_path / "ids.txt").touch()
    assert require_file(tmp_path / "ids.txt", "--users") == tmp_path / "ids.txt"
    with pytest.raises(DataError, match=r"--users: .* is a folder"):
        require_file(tmp_path, "--users")
    with pytest.raises(DataError, match=r"--users: .*gone does not exist"):
        require_file(tmp_path / "gone", "--users")
    with pytest.raises(DataError, match=r"--users: /dev/null is no file"):
        require_file(Path("/dev/null"), "--users")


def test_standard_input_is_a_file_inside_the_block(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a\nb\n")))
    with standard_input(Path("-"), tmp_path) as path:
        assert is_standard_input(path) and is_standard_input(Path("-"))
        assert path.read_bytes() == b"a\nb\n"
    assert not path.exists()
    for given in (None, Path("log.csv")):
        with standard_input(given, tmp_path) as path:
            assert not is_standard_input(path)
            assert path == given


def test_standard_input_needs_room(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a\n")))
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"cannot write in .*file"), standard_input(Path("-"), tmp_path / "file"):
        pass


def test_columns_are_those_of_preprocess_before_the_common_ones(tmp_path):
    pq.write_table(pa.table({"item": [1]}), tmp_path / "items.parquet")
    assert usual_columns(tmp_path) == {}
    options = {"user_column": "who", "item_column": "sku", "time_column": None, "items_id_column": "asin"}
    write_table(tmp_path / "items.parquet", pa.table({"item": [1]}), Lineage("preprocess", options, {}))
    usual = usual_columns(tmp_path)
    assert usual == {"user_column": "who", "item_column": "sku", "items_id_column": "asin"}
    assert item_columns(None, usual) == ["asin", "sku", "item_id", "parent_asin", "movieId", "id"]
    assert item_columns("mine", usual) == ["mine"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a\nb\n", ["a", "b"]),
        (b"item_id\na\n\n b \n", ["a", "b"]),
        (b'\xef\xbb\xbf"a"\r\n"b"', ["a", "b"]),
        (b"7", ["7"]),
        (b"sku,item_id\n1,a\n2,b\n", ["a", "b"]),
        (b'{"item_id": "a"}\n', ["a"]),
    ],
)
def test_ids_a_line_or_in_a_column(tmp_path, content, expected):
    path = tmp_path / ("ids.jsonl" if content.startswith(b"{") else "ids.csv")
    path.write_bytes(content)
    assert read_ids(path, tmp_path, ["item_id"], "--candidates", stages.preprocess).to_pylist() == expected


@pytest.mark.parametrize(
    ("content", "error", "said"),
    [
        (b"", DataError, "is empty"),
        (b"\n", DataError, "--candidates: .* holds no id"),
        (b"item_id\n", DataError, "--candidates: .* holds no id"),
        (b"a\n\xff\n", DataError, "is no UTF-8 text"),
        (b"sku,item_id\n", UsageError, "--candidates .* needs the readers of preprocess"),
    ],
)
def test_what_holds_no_ids_is_refused(tmp_path, content, error, said):
    (tmp_path / "ids.csv").write_bytes(content)
    with pytest.raises(error, match=said):
        read_ids(tmp_path / "ids.csv", tmp_path, ["item_id"], "--candidates", None)


def test_readers_that_are_there_are_handed_on():
    assert require_readers(stages.preprocess, "--where") is stages.preprocess
    with pytest.raises(UsageError, match="--where needs the readers of preprocess"):
        require_readers(None, "--where")
