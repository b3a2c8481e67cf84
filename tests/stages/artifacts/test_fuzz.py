"""Tables of other tools with any columns, read as each artifact: an error or a result, never a traceback."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stages.artifacts.errors import DataError
from stages.artifacts.items import item_views, read_item_ids
from stages.artifacts.sequences import read_sequences
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


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    rows = draw(st.integers(0, 4))
    columns = {}
    for name in draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True)):
        kind, values = draw(st.sampled_from(_COLUMNS))
        columns[name] = pa.array(draw(st.lists(values, min_size=rows, max_size=rows)), kind)
    if draw(st.integers(0, 3)):  # mostly numbered as it should be: what comes first hides what comes later
        columns["item"] = pa.array(range(1, rows + 1), pa.int32())
    return pa.table(columns)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=tables())
def test_no_table_leads_to_a_traceback(tmp_path: Path, table: pa.Table) -> None:
    path = tmp_path / "table.parquet"
    pq.write_table(table, path)
    for read in READERS:
        try:
            read(path)
        except DataError as error:
            assert str(path) in error.message
