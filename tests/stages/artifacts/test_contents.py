"""A fingerprint changes with what a file says, and with nothing else."""

import json
import struct
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from stages.artifacts.contents import content_fingerprint
from stages.artifacts.errors import DataError
from stages.artifacts.lineage import KEY, Lineage
from stages.artifacts.tables import write_table
from stages.artifacts.vectors import codes_schema, to_fixed_size_list

VECTORS = np.arange(18, dtype=np.float32).reshape(6, 3) / 7
PRESENT = np.array([True, False, True, True, True, False])
SCHEMA = pa.schema(
    [
        pa.field("item", pa.int32(), False),
        pa.field("title", pa.string()),
        pa.field("vector", pa.list_(pa.float32(), 3)),
        pa.field("items", pa.list_(pa.int32())),
        pa.field("known", pa.bool_()),
        pa.field("words", pa.list_(pa.string())),
    ]
)
ROWS = {
    "item": [1, 2, 3, 4, 5, 6],
    "title": ["saw", None, "", "Säge", "saw", "a\0b"],
    "vector": [row.tolist() if here else None for row, here in zip(VECTORS, PRESENT, strict=True)],
    "items": [[1, 2], [], None, [3], [4, None], [5]],
    "known": [True, False, None, True, True, False],
    "words": [["a", "bc"], ["ab", "c"], [], None, [""], [None]],
}
TABLE = pa.table(ROWS, schema=SCHEMA)


def of(path: Path) -> str:
    return content_fingerprint(path, KEY)


def written(path: Path, table: pa.Table, **settings: object) -> str:
    pq.write_table(table, path, **settings)
    return of(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "table.parquet"


@pytest.fixture
def known(path: Path) -> str:
    return written(path, TABLE)


def test_it_says_what_it_is(known):
    prefix, _, digits = known.partition(":")
    assert prefix == "content-sha256"
    assert len(digits) == 64 and set(digits) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    "settings",
    [
        {"compression": "zstd"},
        {"compression": "none", "use_dictionary": False},
        {"row_group_size": 1},
        {"row_group_size": 4, "data_page_size": 1},
        {"version": "1.0"},
        {"store_schema": False},
        {"write_statistics": False},
        {"column_encoding": {"item": "DELTA_BINARY_PACKED"}, "use_dictionary": False},
    ],
    ids=str,
)
def test_how_the_file_is_written_does_not_count(path, known, settings):
    assert written(path, TABLE, **settings) == known


def test_batches_do_not_count(path, known, monkeypatch):
    for rows in (1, 2, 5):
        monkeypatch.setattr("stages.artifacts.contents._ROWS", rows)
        assert of(path) == known


def test_where_it_comes_from_does_not_count(path, known):
    for lineage in (Lineage("embed", {}, {}), Lineage("embed", {"model": "x"}, {"a": "sha256:b"}, {"seconds": 1})):
        write_table(path, TABLE, lineage)
        assert of(path) == known
    assert written(path, TABLE.replace_schema_metadata({"pandas": "{}"})) == known


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("item", pa.int64()),
        ("item", pa.int8()),
        ("item", pa.uint16()),
        ("item", pa.uint64()),
        ("title", pa.large_string()),
        ("title", pa.dictionary(pa.int32(), pa.string())),
        ("vector", pa.list_(pa.float32())),
        ("vector", pa.large_list(pa.float32())),
        ("vector", pa.list_(pa.float64(), 3)),
        ("items", pa.list_(pa.int64())),
        ("items", pa.large_list(pa.int16())),
        ("words", pa.list_(pa.large_string())),
    ],
    ids=str,
)
def test_the_width_of_a_type_does_not_count(path, known, column, kind):
    place = TABLE.schema.get_field_index(column)
    values = pa.array(ROWS[column], pa.string()).dictionary_encode() if pa.types.is_dictionary(kind) else None
    changed = TABLE.set_column(place, column, pa.array(ROWS[column], kind) if values is None else values)
    assert changed.schema.field(column).type == kind
    assert written(path, changed) == known


def test_other_columns_of_the_same_values_are_others(path, known):
    fingerprints = {known}
    columns = TABLE.column_names
    others = [
        TABLE.select(columns[::-1]),
        TABLE.select(columns[:-1]),
        TABLE.rename_columns(["number", *columns[1:]]),
        TABLE.append_column("more", TABLE["item"]),
        TABLE.set_column(0, "item", TABLE["item"].cast(pa.float32())),
        TABLE.set_column(0, "item", TABLE["item"].cast(pa.string())),
        TABLE.set_column(4, "known", TABLE["known"].cast(pa.int32())),
        TABLE.slice(0, 5),
        TABLE.slice(0, 0),
        pa.concat_tables([TABLE.slice(1), TABLE.slice(0, 1)]),
    ]
    fingerprints |= {written(path, table) for table in others}
    assert len(fingerprints) == len(others) + 1


@pytest.mark.parametrize(
    ("column", "row", "value"),
    [
        ("item", 3, 5),
        ("title", 0, "Saw"),
        ("title", 1, ""),
        ("title", 2, None),
        ("title", 5, "a"),
        ("vector", 0, [0.0, 0.1, 0.2]),
        ("vector", 1, [0.0, 0.0, 0.0]),
        ("vector", 2, None),
        ("items", 0, [2, 1]),
        ("items", 1, None),
        ("items", 2, []),
        ("items", 4, [4]),
        ("known", 0, False),
        ("known", 2, False),
        ("words", 0, ["ab", "c"]),
        ("words", 4, [None]),
        ("words", 5, []),
    ],
)
def test_one_changed_value_counts(path, known, column, row, value):
    values = list(ROWS[column])
    assert values[row] != value
    values[row] = value
    assert written(path, pa.table({**ROWS, column: values}, schema=SCHEMA)) != known


def test_values_that_move_to_the_next_row_count(path):
    def words(rows: list[list[str]]) -> str:
        return written(path, pa.table({"words": pa.array(rows, pa.list_(pa.string()))}))

    fingerprints = {words(rows) for rows in ([["a", "b"], []], [["a"], ["b"]], [[], ["a", "b"]], [["ab"], []])}
    assert len(fingerprints) == 4


def test_the_size_of_the_codebook_is_content(path):
    codes = to_fixed_size_list(np.ones((2, 4), np.uint16))
    fingerprints = set()
    for size in (8, 256):
        schema = codes_schema(4, size)
        table = pa.table([pa.array([1, 2], pa.int32()), codes.cast(schema.field(1).type)], schema=schema)
        write_table(path, table, Lineage("quantize", {}, {}))
        fingerprints.add(of(path))
    assert len(fingerprints) == 2


def test_numbers_beyond_64_signed_bits(path):
    one, other = (written(path, pa.table({"x": pa.array([value], pa.uint64())})) for value in (2**64 - 1, 2**64 - 2))
    assert one != other


def test_a_table_without_rows_is_one_however_it_is_written(path):
    empty = TABLE.slice(0, 0)
    write_table(path, empty, Lineage("embed", {}, {}))
    assert of(path) == written(path, empty)


COLUMNS = st.fixed_dictionaries(
    {
        "n": st.one_of(st.none(), st.integers(-(2**31), 2**31 - 1)),
        "t": st.one_of(st.none(), st.text(max_size=3)),
        "l": st.one_of(st.none(), st.lists(st.integers(0, 3), max_size=3)),
        "v": st.one_of(st.none(), st.lists(st.floats(width=32, allow_nan=False), min_size=2, max_size=2)),
    }
)
KINDS = {"n": pa.int32(), "t": pa.string(), "l": pa.list_(pa.int32()), "v": pa.list_(pa.float32(), 2)}
WIDER = {"n": pa.int64(), "t": pa.large_string(), "l": pa.large_list(pa.int64()), "v": pa.list_(pa.float64())}


def _table(rows: list[dict[str, object]], kinds: dict[str, pa.DataType]) -> pa.Table:
    return pa.table({name: pa.array([row[name] for row in rows], kind) for name, kind in kinds.items()})


def _exact(rows: list[dict[str, object]]) -> str:
    """Rows as text, which tells -0.0 from 0.0."""
    return repr([[row[name] for name in KINDS] for row in rows])


@given(rows=st.lists(COLUMNS, max_size=6), group=st.integers(1, 6))
def test_the_same_rows_have_one_fingerprint(tmp_path_factory, rows, group):
    path = tmp_path_factory.mktemp("same") / "table.parquet"
    wider = _table(rows, WIDER)
    assert written(path, _table(rows, KINDS)) == written(path, wider, row_group_size=group, compression="none")


@given(one=st.lists(COLUMNS, max_size=3), other=st.lists(COLUMNS, max_size=3))
def test_other_rows_have_another(tmp_path_factory, one, other):
    path = tmp_path_factory.mktemp("other") / "table.parquet"
    fingerprints = [written(path, _table(rows, KINDS)) for rows in (one, other)]
    assert (fingerprints[0] == fingerprints[1]) == (_exact(one) == _exact(other))


def _tensors(path: Path, tensors: dict[str, np.ndarray], metadata: dict[str, str] | None = None) -> str:
    save_file(tensors, path, metadata)
    return of(path)


def test_tensors_count_and_what_stands_beside_them_does_not(tmp_path):
    path = tmp_path / "model.safetensors"
    tensors = {"weight": np.arange(6, dtype=np.float32).reshape(2, 3), "bias": np.zeros(3, np.float32)}
    known = _tensors(path, tensors)
    assert _tensors(path, tensors, {KEY: "made elsewhere"}) == known
    assert _tensors(path, dict(reversed(tensors.items())), {KEY: "x" * 99}) == known
    changed = tensors["weight"].copy()
    changed[1, 2] += 1
    others = [
        {**tensors, "weight": changed},
        {**tensors, "weight": tensors["weight"].reshape(3, 2)},
        {**tensors, "weight": tensors["weight"].view(np.int32)},
        {"weight": tensors["weight"], "bias_": tensors["bias"]},
        {"weight": tensors["weight"]},
    ]
    assert len({known, *(_tensors(path, other) for other in others)}) == len(others) + 1


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 7, struct.pack("<Q", 99) + b"{}", struct.pack("<Q", 2) + b"[]", struct.pack("<Q", 2) + b"{]"]
)
def test_damaged_tensors(tmp_path, data):
    path = tmp_path / "model.safetensors"
    path.write_bytes(data)
    with pytest.raises(
        DataError, match=r"model\.safetensors is not a readable safetensors file(.|\n)*Run `cocorec train --force`"
    ):
        of(path)


def test_json_counts_without_its_lineage_and_layout(tmp_path):
    path = tmp_path / "config.json"

    def said(value: object, **settings: object) -> str:
        path.write_text(json.dumps(value, **settings))
        return of(path)

    known = said({"dim": 64, "layers": [1, 2]})
    assert said({"layers": [1, 2], "dim": 64, KEY: {"stage": "train"}}, indent=2) == known
    others = [{"dim": 65, "layers": [1, 2]}, {"dim": 64, "layers": [2, 1]}, {"dim": 64}, [], {"dim": "64"}]
    assert len({known, *map(said, others)}) == len(others) + 1


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[" * 100_000])
def test_damaged_json(tmp_path, data):
    (tmp_path / "config.json").write_bytes(data)
    with pytest.raises(DataError, match=r"config\.json is not a readable JSON file(.|\n)*Run `cocorec train --force`"):
        of(tmp_path / "config.json")


def test_a_damaged_table(path, known):
    content = bytearray(path.read_bytes())
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"table\.parquet"):
        of(path)


def test_other_files_have_none(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(ValueError, match="not of a format that artifacts have"):
        of(tmp_path / "notes.txt")
    with pytest.raises(DataError, match="does not exist"):
        of(tmp_path / "none.parquet")
