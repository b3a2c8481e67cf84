"""Input that cannot be used: an error that names the file and the hint, and nothing written."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stages.artifacts.errors import CocorecError, DataError, UsageError
from stages.preprocess import PreprocessOptions, preprocess

GOOD = b"user_id,item_id,timestamp\nu,A,1\nu,B,2\nu,C,3\n"
REVIEW = b'{"user_id": "u", "parent_asin": "A", "timestamp": 1}\n'
MANY = b"".join(b'{"user_id": "u%d", "parent_asin": "A%d", "timestamp": 1}\n' % (i, i) for i in range(3000))
BENCHMARK = b"user_id,parent_asin,rating,timestamp,history\n"

CASES: dict[str, tuple[str, bytes | None, type[CocorecError], str]] = {
    "missing": ("log.csv", None, DataError, r"log\.csv does not exist"),
    "empty": ("log.csv", b"", DataError, r"log\.csv is empty"),
    "empty gzip": ("log.csv.gz", gzip.compress(b""), DataError, r"log\.csv\.gz is empty"),
    "blank lines": ("log.csv", b"\n\n  \n", DataError, r"log\.csv is empty"),
    "header only": ("log.csv", b"user_id,item_id,timestamp\n", DataError, r"log\.csv holds no interaction"),
    "no user column": ("log.csv", b"who,item_id\nu,A\n", DataError, r"no column 'user_id'; there are 'who', 'item_id'"),
    "no item column": ("log.csv", b"user_id,what\nu,A\n", DataError, r"no column 'item_id'.*\n.*--item-column"),
    "header twice": ("log.csv", b"user_id,user_id,item_id\nu,v,A\n", DataError, r"the header names 'user_id' twice"),
    "no header": ("log.csv", b"u,A,1\nu,B,2\n", DataError, r"the first line is a row, not a header"),
    "too many fields": ("log.csv", GOOD + b"u,D,4,5\n", DataError, r"line 5 has 4 fields, the header 3"),
    "open quote": ("log.csv", GOOD + b'u,"D,4\n', DataError, r"log\.csv: line 5 is malformed"),
    "not UTF-8": ("log.csv", GOOD + b"\xff\xfe,D,4\n", DataError, r"log\.csv: line 5 is not UTF-8"),
    "binary": ("log.csv", bytes(range(128, 256)) * 50, DataError, r"neither Parquet nor UTF-8 text"),
    "truncated gzip": ("log.jsonl.gz", gzip.compress(MANY)[:-200], DataError, r"log\.jsonl\.gz: .*truncated"),
    "damaged gzip": ("log.csv.gz", gzip.compress(GOOD)[:20] + b"xxxxxxxxxxxxxxxxxx", DataError, r"gzip file is"),
    "JSON array": ("log.json", b'[{"user_id": "u"}]', DataError, r"is one JSON array"),
    "malformed first line": ("log.jsonl", b'{"user_id": \n' + REVIEW, DataError, r"record 1 is not JSON"),
    "malformed late line": ("log.jsonl", MANY + b'{"user_id": "u"\n' + REVIEW, DataError, r"line 3001 is not JSON"),
    "late line not an object": ("log.jsonl", MANY + b"[1]\n", DataError, r"line 3001 is not a JSON object"),
    "no time at all": ("log.csv", b"user_id,item_id,timestamp\n,,\n", DataError, r"no interaction is left"),
    "damaged Parquet": ("log.parquet", b"PAR1abcdefgh", DataError, r"log\.parquet is damaged"),
    "5-core of nothing": ("log.csv", GOOD, DataError, r"no users and items have 5 interactions.*\n.*--k-core"),
    "part missing": ("X.train.csv", BENCHMARK + b"u,B,,1,A\n", DataError, r"X\.valid\.csv does not exist"),
}


@pytest.mark.parametrize("case", CASES)
def test_unusable_log(tmp_path: Path, case: str) -> None:
    name, content, kind, message = CASES[case]
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(kind, match=message) as caught:
        preprocess(PreprocessOptions([path]), workdir=tmp_path / "work")
    assert caught.value.exit_code in (2, 3)
    assert not list((tmp_path / "work").glob("*.parquet"))


META_CASES = {
    "missing": (None, r"meta\.jsonl does not exist"),
    "malformed late line": (MANY + b'{"parent_asin": \n', r"meta\.jsonl: line 3001 is not JSON"),
    "no id column": (b'{"title": "x"}\n', r"no column 'item_id'; there are 'title'\n.*--items-id-column"),
    "other items": (b'{"item_id": "Q", "title": "x"}\n', r"none of the 1 rows describes an item of the log"),
    "header only": (b"item_id,title\n", r"holds no item"),
    "truncated gzip": (gzip.compress(MANY)[:-200], r"truncated"),
}


@pytest.mark.parametrize("case", META_CASES)
def test_unusable_metadata(tmp_path: Path, case: str) -> None:
    content, message = META_CASES[case]
    log, meta = tmp_path / "log.csv", tmp_path / "meta.jsonl"
    log.write_bytes(GOOD)
    if content is not None:
        meta.write_bytes(content)
    with pytest.raises(DataError, match=message):
        preprocess(PreprocessOptions([log], items=[meta], k_core=0), workdir=tmp_path / "work")
    assert not list((tmp_path / "work").glob("*.parquet"))


def test_unusable_options(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_bytes(GOOD)
    work = tmp_path / "work"
    with pytest.raises(UsageError, match="no input file"):
        preprocess(PreprocessOptions([]), workdir=work)
    with pytest.raises(UsageError, match="--format 'amazon' is unknown"):
        preprocess(PreprocessOptions([log], format="amazon"), workdir=work)
    with pytest.raises(UsageError, match="--items-format 'x' is unknown"):
        preprocess(PreprocessOptions([log], items=[log], items_format="x"), workdir=work)
    with pytest.raises(UsageError, match="--k-core must be at least 0, is -1"):
        preprocess(PreprocessOptions([log], k_core=-1), workdir=work)
    with pytest.raises(UsageError, match="--views needs item metadata"):
        preprocess(PreprocessOptions([log], views=["title"]), workdir=work)
    (tmp_path / "nothing").mkdir()
    with pytest.raises(DataError, match="nothing is a folder without data files"):
        preprocess(PreprocessOptions([tmp_path / "nothing"]), workdir=work)
    with pytest.raises(DataError, match=r"no file matches .*\*\.csv"):
        preprocess(PreprocessOptions([tmp_path / "nothing" / "*.csv"]), workdir=work)
    with pytest.raises(DataError, match="no column 'stars'"):
        preprocess(PreprocessOptions([log], rating_min=3, rating_column="stars"), workdir=work)


def test_inputs_of_different_formats(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(GOOD)
    (tmp_path / "b.jsonl").write_bytes(REVIEW)
    with pytest.raises(DataError, match=r"a\.csv: table, b\.jsonl: amazon-2023"):
        preprocess(PreprocessOptions([tmp_path / "a.csv", tmp_path / "b.jsonl"]), workdir=tmp_path / "work")


def test_work_directory_that_cannot_be_made(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_bytes(GOOD)
    with pytest.raises(DataError, match=r"cannot write in .*--workdir"):
        try:
            preprocess(PreprocessOptions([log], k_core=0), workdir=log / "work")
        except DataError as error:
            raise DataError(str(error).replace("\n", " ")) from error


def test_a_failed_run_leaves_the_old_artifacts(tmp_path: Path, run: Callable[..., Any]) -> None:
    log = tmp_path / "log.csv"
    log.write_bytes(GOOD)
    run(log, k_core=0)
    before = {path.name: path.read_bytes() for path in (tmp_path / "work").glob("*.parquet")}
    log.write_bytes(GOOD + b"u,D,4,5\n")
    with pytest.raises(DataError):
        run(log, k_core=0)
    assert before == {path.name: path.read_bytes() for path in (tmp_path / "work").glob("*.parquet")}


_LINES = st.lists(
    st.one_of(
        st.binary(max_size=30),
        st.sampled_from(
            [GOOD, REVIEW, b"user_id,item_id,timestamp", b'{"user_id":', b"u,A,1", b'"', b"\x1f\x8b", b"PAR1"]
        ),
    ),
    max_size=6,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=_LINES, compressed=st.booleans())
def test_no_bytes_lead_to_a_traceback(tmp_path: Path, lines: list[bytes], compressed: bool) -> None:
    path = tmp_path / "log.any"
    data = b"\n".join(lines)
    path.write_bytes(gzip.compress(data) if compressed else data)
    try:
        preprocess(PreprocessOptions([path], k_core=0), workdir=tmp_path / "work", force=True)
    except CocorecError as error:
        assert error.exit_code in (2, 3)
