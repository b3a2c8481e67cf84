"""Tables of other tools with any columns, read as each artifact: an error or a result, never a traceback."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from stages.artifacts.atomic import atomic_path
from stages.artifacts.digest import OPEN_DIGEST
from stages.artifacts.errors import DataError
from stages.artifacts.fingerprints import Fingerprints
from stages.artifacts.items import item_views, read_item_ids
from stages.artifacts.lineage import KEY, Lineage, fresh_lineage, read_lineage, require_consistent
from stages.artifacts.names import ITEMS
from stages.artifacts.sequences import read_sequences
from stages.artifacts.status import workdir_status
from stages.artifacts.vectors import embedding_views, read_codes, read_view

NAMES = ("item", "item_id", "user_id", "items", "timestamps", "train_end", "valid_end", "codes", "title")
READERS = (
    read_item_ids,
    item_views,
    lambda path: read_sequences(path, items=3, user_ids=True),
    embedding_views,
    lambda path: read_view(path, "title"),
    read_codes,
)

_WHOLE = st.none() | st.integers(-1, 4)
_FLOAT = st.none() | st.floats(width=32)
_COLUMNS: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    (pa.int32(), _WHOLE),
    (pa.int64(), _WHOLE),
    (pa.float64(), _FLOAT),
    (pa.string(), st.none() | st.text(max_size=3)),
    (pa.large_string(), st.text(max_size=3)),
    (pa.bool_(), st.booleans()),
    (pa.list_(pa.int32()), st.none() | st.lists(_WHOLE, max_size=3)),
    (pa.list_(pa.int64()), st.lists(st.integers(1, 3), max_size=3)),
    (pa.large_list(pa.float32()), st.none() | st.lists(_FLOAT, max_size=3)),
    (pa.list_(pa.float32(), 2), st.none() | st.lists(st.floats(width=32), min_size=2, max_size=2)),
    (pa.list_(pa.uint16(), 2), st.none() | st.lists(st.integers(0, 9), min_size=2, max_size=2)),
    (pa.list_(pa.float32(), 0), st.just([])),
    (pa.struct([("a", pa.int32())]), st.just({"a": 1})),
    (pa.null(), st.none()),
]

_METADATA = st.none() | st.dictionaries(
    st.sampled_from([b"codebook_size", b"PARQUET:field_id", b"\xff"]),
    st.sampled_from([b"", b"4", b"0", b"-1", b"9" * 5000, b"\xff", b"65537", b"1e3"]),
)

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_INPUTS = st.dictionaries(
    st.sampled_from(
        ["items.parquet", "../../../dev/zero", "/dev/zero", "raw:../secret", "raw:log.csv", "a\0b", "", "."]
    ),
    st.sampled_from(["sha256:1", "content-sha256:1", "", "x"]) | _JSON,
)
_SPELT = {
    "stage": st.sampled_from(["preprocess", "train", "tune", "else"]) | _JSON,
    "options": _JSON,
    "inputs": _INPUTS | _JSON,
    "facts": _JSON,
    "version": st.text(max_size=8) | _JSON,
    "contract": st.sampled_from([1, 2]) | _JSON,
}


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    rows = draw(st.integers(0, 4))
    fields, columns = [], []
    for name in draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=draw(st.booleans()))):
        kind, values = draw(st.sampled_from(_COLUMNS))
        fields.append(pa.field(name, kind, metadata=draw(_METADATA)))
        columns.append(pa.array(draw(st.lists(values, min_size=rows, max_size=rows)), kind))
    if draw(st.integers(0, 3)):  # mostly numbered as it should be: what comes first hides what comes later
        kept = [place for place, field in enumerate(fields) if field.name != "item"]
        fields = [pa.field("item", pa.int32()), *(fields[place] for place in kept)]
        columns = [pa.array(range(1, rows + 1), pa.int32()), *(columns[place] for place in kept)]
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=tables())
def test_no_table_leads_to_a_traceback(tmp_path: Path, table: pa.Table) -> None:
    path = tmp_path / "table.parquet"
    pq.write_table(table, path)
    for read in READERS:
        try:
            read(path)
        except DataError as error:
            assert str(path) in error.message


def whole(path: Path, lineage: dict[str, Any] | str) -> None:
    """Put a table of items there with this under the key of the lineage, and a digest that is right."""
    text = lineage if isinstance(lineage, str) else json.dumps({**lineage, **OPEN_DIGEST})
    columns = {"item": pa.array([1, 2], pa.int32()), "item_id": ["a", "b"], "title": ["x", None]}
    table = pa.table(columns).replace_schema_metadata({KEY: text})
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.fixed_dictionaries({}, optional=_SPELT), without=st.sampled_from([None, *_SPELT]))
@example(changes={"inputs": {"../../../dev/zero": "sha256:1"}}, without=None)
@example(changes={"inputs": {"raw:../../etc/passwd": "sha256:1"}}, without=None)
@example(changes={"options": json.loads("[" * 20 + "]" * 20)}, without=None)
def test_no_lineage_leads_to_a_traceback(tmp_path: Path, changes: dict[str, Any], without: str | None) -> None:
    told = {**json.loads(Lineage("preprocess", {"k_core": 5}, {"raw:log.csv": "sha256:1"}, {"items": 2}).to_json())}
    told = {name: value for name, value in (told | changes).items() if name != without}
    path = tmp_path / ITEMS
    (tmp_path / "log.csv").write_text("a")
    whole(path, told)
    try:
        read = read_lineage(path)
        require_consistent(tmp_path, [ITEMS], Fingerprints(tmp_path, keep=False))
        fresh_lineage(tmp_path, "preprocess", {"k_core": 5}, {"raw:log.csv": "sha256:1"}, Fingerprints(tmp_path))
        assert read is not None
    except DataError as error:
        assert str(tmp_path) in error.message
        assert error.hint
    for verify in (False, True):
        options = {"preprocess": {"k_core": 5, "inputs": ["log.csv"]}}
        [status] = [
            found
            for found in workdir_status(tmp_path, options=options, raw_folders=[tmp_path], verify=verify)
            if found.file == ITEMS
        ]
        assert status.state in ("fresh", "stale", "damaged")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=20) | _JSON.map(json.dumps))
@example(text="[" * 100_000)
@example(text='{"a":' * 100_000)
def test_no_text_in_the_place_of_a_lineage_leads_to_a_traceback(tmp_path: Path, text: str) -> None:
    path = tmp_path / ITEMS
    whole(path, text)
    with pytest.raises(DataError, match="damaged lineage"):
        read_lineage(path)
