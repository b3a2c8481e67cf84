"""Columns of types that are not text or numbers, in Parquet and Arrow."""

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.artifacts.errors import DataError

Run = Callable[..., Any]
UUIDS = [uuid.uuid5(uuid.NAMESPACE_DNS, name) for name in "ab"]
BYTES = [value.bytes for value in UUIDS]


def save(path: Path, table: pa.Table) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(table, path)
        return path
    new = pa.ipc.new_file if path.suffix == ".arrow" else pa.ipc.new_stream
    with new(path, table.schema) as writer:
        writer.write_table(table)
    return path


@pytest.mark.parametrize("ending", [".parquet", ".arrow", ".stream"])
@pytest.mark.parametrize(
    ("items", "ids"),
    [
        (pa.array(BYTES, pa.uuid()), list(map(str, UUIDS))),
        (pa.array(BYTES, pa.binary(16)), list(map(str, UUIDS))),
        (pa.array([b"A", b"B"]), ["A", "B"]),
        (pa.array(["A", "B"], pa.string_view()), ["A", "B"]),
        (pa.array(["A", "B"]).dictionary_encode(), ["A", "B"]),
        (pa.array(['"A"', '"B"'], pa.json_()), ['"A"', '"B"']),
        (pa.array([17, 18]).cast(pa.decimal128(22, 2)), ["17", "18"]),
        (pa.array([2**64 - 1, 2**64 - 2], pa.uint64()), ["18446744073709551615", "18446744073709551614"]),
    ],
    ids=["uuid", "16 bytes", "bytes", "view", "dictionary", "json", "decimal", "uint64"],
)
def test_ids_of_every_type(run: Run, tmp_path: Path, items: pa.Array, ids: list[str], ending: str) -> None:
    log = save(tmp_path / f"log{ending}", pa.table({"user_id": ["u", "u"], "item_id": items, "timestamp": [1, 2]}))
    texts = save(tmp_path / f"texts{ending}", pa.table({"item_id": items, "title": ["a", "b"]}))
    made = run(log, items=[texts], k_core=0)
    assert made.users == {"u": ids}
    assert made.items == {ids[0]: {"title": "a"}, ids[1]: {"title": "b"}}


@pytest.mark.parametrize(
    ("items", "times", "message"),
    [
        (pa.array([b"\xff\xfe", b"\xff"]), [1, 2], r"column 'item_id' holds bytes that are no text \(binary\)"),
        (pa.array([["A"], ["B"]]), [1, 2], "column 'item_id' holds lists or structures"),
        (pa.array(["A", "B"]), pa.array([1, 2], pa.duration("s")), "column 'timestamp' holds no times but .*Duration"),
        (pa.array(["A", "B"]), pa.array([[1], [2]]), "column 'timestamp' holds no times but .*List"),
        (pa.array(["A", "B"]), pa.array([1, 2], pa.time64("us")), "column 'timestamp' holds '00:00:00'"),
    ],
)
def test_other_types_are_named(run: Run, tmp_path: Path, items: pa.Array, times: Any, message: str) -> None:
    log = save(tmp_path / "log.parquet", pa.table({"user_id": ["u", "u"], "item_id": items, "timestamp": times}))
    with pytest.raises(DataError, match=message):
        run(log, k_core=0)
