from pathlib import Path

import pyarrow as pa
import pytest

from stages.artifacts.errors import DataError
from stages.artifacts.lineage import Lineage, read_lineage
from stages.artifacts.tables import open_table, read_table, require_column, table_writer, write_table

LINEAGE = Lineage("quantize", {"levels": 4}, {})
TABLE = pa.table({"item": pa.array(range(1, 1001), pa.int32()), "text": [f"text {i}" for i in range(1000)]})


def test_round_trip_in_row_groups(tmp_path: Path) -> None:
    write_table(tmp_path / "a.parquet", TABLE, LINEAGE, row_group_rows=300)
    assert read_table(tmp_path / "a.parquet").equals(TABLE)
    assert read_table(tmp_path / "a.parquet", ["text"]).equals(TABLE.select(["text"]))
    with open_table(tmp_path / "a.parquet") as file:
        assert file.num_row_groups == 4
    assert read_lineage(tmp_path / "a.parquet") == LINEAGE


def test_equal_tables_give_equal_bytes(tmp_path: Path) -> None:
    for name in "ab":
        write_table(tmp_path / f"{name}.parquet", TABLE, LINEAGE)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_empty_table(tmp_path: Path) -> None:
    write_table(tmp_path / "a.parquet", TABLE.slice(0, 0), LINEAGE)
    assert read_table(tmp_path / "a.parquet").schema == TABLE.schema


def test_pieces_are_cast_and_lineage_may_come_last(tmp_path: Path) -> None:
    schema = pa.schema([pa.field("item", pa.int32(), False), pa.field("text", pa.string())])
    with table_writer(tmp_path / "a.parquet", schema) as writer:
        writer.write(pa.table({"item": [1, 2], "text": pa.array(["a", None], pa.large_string())}))
        writer.write(pa.record_batch({"item": [3], "text": ["c"]}))
        writer.set_lineage(LINEAGE)
    table = read_table(tmp_path / "a.parquet")
    assert table.schema == schema
    assert table.to_pydict() == {"item": [1, 2, 3], "text": ["a", None, "c"]}
    assert read_lineage(tmp_path / "a.parquet") == LINEAGE


def test_failed_write_leaves_nothing(tmp_path: Path) -> None:
    with (
        pytest.raises(pa.ArrowInvalid),
        table_writer(tmp_path / "a.parquet", pa.schema([pa.field("x", pa.int8())])) as writer,
    ):
        writer.write(pa.table({"x": [1000]}))
    assert list(tmp_path.iterdir()) == []


def test_any_flipped_bit_in_the_pages_is_found(tmp_path: Path) -> None:
    path = tmp_path / "codes.parquet"
    write_table(path, TABLE, LINEAGE)
    good = path.read_bytes()
    footer = len(good) - 8 - int.from_bytes(good[-8:-4], "little")
    unnoticed = []
    for position in range(4, footer, 41):
        path.write_bytes(good[:position] + bytes([good[position] ^ 0x10]) + good[position + 1 :])
        try:
            if not read_table(path).equals(TABLE):
                unnoticed.append(position)
        except DataError as error:
            assert "codes.parquet is damaged" in error.message
            assert error.hint and "cocorec quantize --force" in error.hint
    assert unnoticed == []


def test_truncated_file_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "codes.parquet"
    write_table(path, TABLE, LINEAGE)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"is damaged[\s\S]*cocorec quantize --force"):
        read_table(path)


def test_missing_file_names_its_stage(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"does not exist\nRun `cocorec quantize` first"):
        read_table(tmp_path / "codes.parquet")
    with pytest.raises(DataError, match=r"other\.parquet does not exist$"):
        read_table(tmp_path / "other.parquet")


@pytest.mark.parametrize(
    ("wanted", "accepted", "refused"),
    [
        ("int32", [pa.int32(), pa.int64()], [pa.int16(), pa.uint32(), pa.float64(), pa.string()]),
        (
            "string",
            [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())],
            [pa.binary(), pa.int32(), pa.list_(pa.string())],
        ),
        (
            "list<int32>",
            [pa.list_(pa.int32()), pa.large_list(pa.int64())],
            [pa.list_(pa.string()), pa.int32(), pa.list_(pa.int32(), 3), pa.list_(pa.float32())],
        ),
        (
            "fixed_size_list<float32>",
            [pa.list_(pa.float32(), 3), pa.list_(pa.float32()), pa.list_(pa.float64(), 3), pa.large_list(pa.float64())],
            [pa.list_(pa.int32(), 3), pa.list_(pa.string()), pa.float32()],
        ),
        (
            "fixed_size_list<uint16>",
            [pa.list_(pa.uint16(), 3), pa.list_(pa.uint16()), pa.list_(pa.int64())],
            [pa.list_(pa.int16(), 3), pa.list_(pa.float32()), pa.uint16()],
        ),
    ],
)
def test_types_of_columns(wanted: str, accepted: list[pa.DataType], refused: list[pa.DataType]) -> None:
    for kind in accepted:
        assert require_column(pa.schema([pa.field("x", kind)]), "x", wanted, Path("f")) == kind
    for kind in refused:
        with pytest.raises(DataError, match="f: column 'x' has type"):
            require_column(pa.schema([pa.field("x", kind)]), "x", wanted, Path("f"))


def test_missing_column_names_those_there_are() -> None:
    schema = pa.schema([pa.field("a", pa.int32()), pa.field("b", pa.int32())])
    with pytest.raises(DataError, match="f: column 'x' is missing; there are 'a', 'b'"):
        require_column(schema, "x", "int32", Path("f"))
