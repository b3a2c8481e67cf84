"""Logs and metadata put together at random: an error or a result, never a traceback."""

import gzip
import re
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stages.artifacts.errors import CocorecError
from stages.preprocess import PreprocessOptions, preprocess
from stages.preprocess.items.readers import ITEM_READERS
from stages.preprocess.logs.readers import LOG_READERS

Run = Callable[..., Any]

_FIELD = st.one_of(
    st.text(string.printable + "é😀\ufeff\0", max_size=8),
    st.integers(-(2**70), 2**70).map(str),
    st.floats().map(str),
    st.sampled_from(["", "null", "{}", "[1", '"', "1:token", "item_id:token", "2024-01-01", "::", "|", "\t", "B00X"]),
)
_HEADS = [
    "user_id,item_id,timestamp",
    "user_id:token\titem_id:token\ttimestamp:float",
    "user_id:token\titem_id_list:token_seq\titem_id:token",
    "user_id,parent_asin,rating,timestamp",
    "userId,movieId,rating,timestamp",
    '{"reviewerID": "u", "asin": "A", "unixReviewTime": 1}',
    "{'reviewerID': 'u', 'asin': 'A', 'unixReviewTime': 1}",
    '{"user_id": "u", "parent_asin": "A", "timestamp": 1}',
    "1\t2\t3\t4",
    "1::2::3::4",
]
_NAMES = ["log.csv", "u.data", "ratings.dat", "x.train.inter", "x.inter", "T.train.csv", "log.json.gz"]


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(_NAMES),
    head=st.sampled_from(_HEADS),
    rows=st.lists(st.lists(_FIELD, max_size=5), max_size=6),
    separator=st.sampled_from([",", "\t", "::", " "]),
    format=st.sampled_from(["auto", *(reader.name for reader in LOG_READERS)]),
    bad=st.sampled_from([0, 3]),
)
def test_no_rows_lead_to_a_traceback(
    tmp_path: Path, name: str, head: str, rows: list[list[str]], separator: str, format: str, bad: int
) -> None:
    path = tmp_path / name
    data = "\n".join([head, *(separator.join(row) for row in rows)]).encode()
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    try:
        preprocess(
            PreprocessOptions([path], k_core=0, format=format, max_bad_rows=bad), workdir=tmp_path / "work", force=True
        )
    except CocorecError as error:
        assert error.exit_code in (2, 3)


_META_HEADS = [
    "item_id,title",
    "item_id:token\ttitle:token_seq\tyear:float",
    "movieId,title,genres",
    "A::x::y",
    "A|x|1995||u" + "|1" * 19,
    '{"item_id": "A", "title": "x"}',
    "{'asin': 'A', 'imUrl': 'x', 'categories': [['x']]}",
    '{"asin": "A", "feature": [], "also_buy": []}',
    '{"parent_asin": "A", "store": "x", "details": {}}',
]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(["meta.jsonl", "u.item", "movies.dat", "x.item", "meta.json.gz"]),
    head=st.sampled_from(_META_HEADS),
    rows=st.lists(st.lists(st.one_of(_FIELD, st.just("A")), max_size=4), max_size=5),
    separator=st.sampled_from([",", "\t", "::", "|"]),
    format=st.sampled_from(["auto", *(reader.name for reader in ITEM_READERS)]),
    cold=st.booleans(),
)
def test_no_metadata_leads_to_a_traceback(
    tmp_path: Path, name: str, head: str, rows: list[list[str]], separator: str, format: str, cold: bool
) -> None:
    log, path = tmp_path / "log.csv", tmp_path / name
    log.write_text("user_id,item_id,timestamp\nu,A,1\nu,B,2\n")
    data = "\n".join([head, *(separator.join(row) for row in rows)]).encode()
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    options = {"k_core": 0, "items_format": format, "keep_cold_items": cold}
    try:
        preprocess(PreprocessOptions([log], items=[path], **options), workdir=tmp_path / "work", force=True)
    except CocorecError as error:
        assert error.exit_code in (2, 3)


def one_spelling(id: str) -> str:
    return id.split(".")[0] if re.fullmatch(r"[+-]?[0-9]+\.0+", id) else id


_ID = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    events=st.lists(st.tuples(_ID, _ID), min_size=1, max_size=12, unique=True),
    kind=st.sampled_from(["csv", "tsv", "jsonl", "parquet", "arrow", "python"]),
)
def test_any_ids_come_back_from_every_kind_of_file(
    run: Run, tmp_path: Path, events: list[tuple[str, str]], kind: str
) -> None:
    frame = pl.DataFrame(
        [(*pair, n) for n, pair in enumerate(events)], schema=["user_id", "item_id", "timestamp"], orient="row"
    )
    path = tmp_path / f"log.{kind}"
    match kind:
        case "csv" | "tsv":
            frame.write_csv(path, separator={"csv": ",", "tsv": "\t"}[kind])
        case "jsonl":
            frame.write_ndjson(path)
        case "parquet":
            frame.write_parquet(path)
        case "arrow":
            frame.write_ipc(path)
        case "python":
            path.write_text("".join(f"{row}\n" for row in frame.to_dicts()))
    expected: dict[str, list[str]] = {}
    for user, item in ((one_spelling(user), one_spelling(item)) for user, item in events):
        expected.setdefault(user, []).append(item)
    assert run(path, k_core=0, force=True).users == expected
