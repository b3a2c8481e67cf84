"""Input that is not as it should be, one row a case: what is refused and how, what is accepted and what is said of it.

``test_errors.py`` holds the files that cannot be used at all, ``test_fuzz.py`` what no row foresees.
"""

import gzip
import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest
from reasons import counts_dropped

from stages.artifacts.errors import DataError

Run = Callable[..., Any]
START = 1_600_000_000
HEADER = b"user_id,item_id,timestamp\n"


def csv(*rows: object, header: bytes = HEADER) -> bytes:
    return header + b"".join(f"{row}\n".encode() for row in rows)


def jsonl(*rows: Any) -> bytes:
    return b"".join((row if isinstance(row, str) else json.dumps(row)).encode() + b"\n" for row in rows)


def parquet(**columns: list[Any]) -> bytes:
    buffer = io.BytesIO()
    pl.DataFrame(columns, strict=False).write_parquet(buffer)
    return buffer.getvalue()


def event(user: Any, item: Any, time: Any) -> dict[str, Any]:
    return {"user_id": user, "item_id": item, "timestamp": time}


class Case(NamedTuple):
    """A log and what becomes of it.

    Attributes:
        data: the file.
        users: the histories, or the pattern of the error.
        facts: what the result says, of ``facts`` or as a part of a warning.
        options: of the stage.
        name: of the file.
    """

    data: bytes
    users: dict[str, list[str]] | str
    facts: dict[str, Any] = {}  # noqa: RUF012
    warning: str = ""
    options: dict[str, Any] = {}  # noqa: RUF012
    name: str = "log.csv"


AB = {"u": ["A", "B"]}
TINY = [event("u", "A", 1), event("u", "B", 2)]
LONG = "x" * 10_000_000

CASES = {
    # Encodings and line ends.
    "UTF-8 with BOM": Case(b"\xef\xbb\xbf" + csv("u,A,1", "u,B,2"), AB),
    "JSON lines with BOM": Case(b"\xef\xbb\xbf" + jsonl(*TINY), AB),
    "UTF-16": Case("user_id,item_id\nu,A\nu,B\n".encode("utf-16"), AB),
    "UTF-16 as spreadsheets write it": Case("\ufeffuser_id\titem_id\r\nu\tA\r\nu\tB\r\n".encode("utf-16-le"), AB),
    "Latin-1 in an id": Case(csv("u,A,1") + "u,\xe9,2\n".encode("latin-1"), r"line 3 is not UTF-8 \(.* b'\\xe9'\)"),
    "Latin-1 in the header": Case("us\xe9r,item\nu,A\n".encode("latin-1"), "neither Parquet nor UTF-8 text"),
    "Windows line ends": Case(csv("u,A,1", "u,B,2").replace(b"\n", b"\r\n"), AB),
    "Windows line ends of JSON": Case(jsonl(*TINY).replace(b"\n", b"\r\n"), AB),
    "no last line end": Case(csv("u,A,1", "u,B,2").rstrip(), AB),
    "blank lines at the end": Case(
        csv("u,A,1", "u,B,2") + b"\n\n", AB, {"dropped": {"rows without a user or an item": 2}}
    ),
    "blank lines of JSON": Case(b"\n" + jsonl(TINY[0]) + b"\n  \n" + jsonl(TINY[1]), AB),
    # Headers.
    "header missing": Case(
        b"u,A,1\nu,B,2\n",
        r"the first line is a row, not a header: 'u', 'A', '1'\n.*--columns user_id,item_id,timestamp",
    ),
    "header twice in the file": Case(
        csv("u,A,1") + HEADER + b"u,B,2\n",
        AB,
        {"dropped": {"rows that repeat the header": 1}},
        "1 rows that repeat the header were dropped",
    ),
    "header twice, in another order": Case(
        csv("u,A,1") + b"item_id,user_id,timestamp\nB,u,2\n", "a second header has the columns in another order"
    ),
    "same name twice": Case(b"user_id,user_id,item_id\nu,v,A\n", "the header names 'user_id' twice"),
    "column without a name": Case(b",user_id,item_id,timestamp\n0,u,A,1\n1,u,B,2\n", AB),
    "too few fields": Case(csv("u,A,1", "u,B,2", "u"), AB, warning="1 rows without a user or an item were dropped"),
    # Ids.
    "null ids": Case(
        jsonl(*TINY, event(None, "A", 3), event("u", None, 3), {"user_id": "u", "timestamp": 4}),
        AB,
        {"dropped": {"rows without a user or an item": 3}},
    ),
    "empty ids": Case(csv("u,A,1", "u,B,2", ",A,3", "u,,4", '"",A,5'), AB, warning="3 rows without a user or an item"),
    "ids that spell null": Case(csv("null,NA,1", "null,None,2"), {"null": ["NA", "None"]}),
    "blanks, tabs, emoji": Case(csv("a b,\t,1", "a b,😀 é,2", "a b, x ,3"), {"a b": ["\t", "😀 é", " x "]}),
    "line end in an id": Case(csv('u,"A\nB",1', 'u,"C""D",2'), {"u": ["A\nB", 'C"D']}),
    "NUL in an id": Case(csv("u,A\0,1"), {"u": ["A\0"]}),
    "numbers and texts": Case(
        jsonl(event(7, "17", 1), event("7", 17, 2), event("u", "x", 3)), {"7": ["17", "17"], "u": ["x"]}
    ),
    "floats of whole numbers": Case(
        parquet(user_id=[1.0, 1.0, None], item_id=[10.0, 2.5, 3.0], timestamp=[1, 2, 3]),
        {"1": ["10", "2.5"]},
        name="log.parquet",
    ),
    "NaN as an id": Case(parquet(user_id=[1.0, math.nan], item_id=["A", "B"]), {"1": ["A"]}, name="log.parquet"),
    "lists as ids": Case(parquet(user_id=[["u"]], item_id=["A"]), "column 'user_id' holds lists or structures"),
    "leading zeros": Case(csv("007,01,1", "7,1,2"), {"007": ["01"], "7": ["1"]}),
    # Times.
    "NaN time": Case(csv("u,A,NaN"), "holds 'NaN', which is not a time"),
    "infinite time": Case(
        parquet(user_id=["u"], item_id=["A"], timestamp=[math.inf]), "holds 'inf', which is not a time"
    ),
    "NaN time of Parquet": Case(
        parquet(user_id=["u"] * 3, item_id=["A", "B", "C"], timestamp=[1.0, 2.0, math.nan]),
        AB,
        warning="1 rows without a time",
    ),
    "absurd time": Case(csv("u,A,1e30"), "holds '1e30', which is not a time"),
    "time that is a word": Case(csv("u,A,1", "u,B,yesterday"), "holds 'yesterday', which is not a time"),
    "time that is a flag": Case(jsonl(event("u", "A", True)), "holds 'true', which is not a time"),
    "time that is a list": Case(jsonl(event("u", "A", [1])), r"holds '\[1\]', which is not a time"),
    "negative time": Case(
        csv(f"u,B,{START}", "u,A,-5"), AB, {"implausible_times": 1}, "1 times, read in s, are not within the years"
    ),
    "time 0 for unknown": Case(csv("u,A,0", f"u,B,{START}000"), AB, {"implausible_times": 1, "time_unit": "ms"}),
    "seconds": Case(csv(f"u,B,{START}", f"u,A,{START - 1}"), AB, {"time_unit": "s", "implausible_times": 0}),
    "milliseconds": Case(csv(f"u,B,{START}001", f"u,A,{START}000"), AB, {"time_unit": "ms", "implausible_times": 0}),
    "nanoseconds": Case(csv(f"u,B,{START}000000001", f"u,A,{START}000000000"), AB, {"time_unit": "ns"}),
    "microseconds": Case(csv(f"u,B,{START}000001", f"u,A,{START}000000"), AB, {"time_unit": "us"}),
    "seconds with fractions": Case(csv(f"u,B,{START}.5", f"u,A,{START - 1}.9"), AB, {"time_unit": "ms"}),
    "ISO dates": Case(csv("u,B,2024-02-29", "u,A,2024-02-28T23:59:59Z"), AB, {"time_unit": "ms"}),
    "a date that does not exist": Case(csv("u,B,2023-02-29"), "holds '2023-02-29', which is not a time"),
    "seconds and milliseconds": Case(csv(f"u,A,{START}", f"u,B,{START}000"), "times of the log are in different units"),
    "seconds and dates": Case(csv(f"u,A,{START}", "u,B,2020-09-14"), "times of the log are in different units"),
    "some times missing": Case(csv("u,A,1", "u,B,2", "u,C,"), AB, {"dropped": {"rows without a time": 1}}),
    "all times missing": Case(csv("u,A,", "u,B,"), AB, warning="the order of its rows is taken"),
    "ratings that are words": Case(
        csv("u,A,good", header=b"user_id,item_id,rating\n"),
        "column 'rating' holds 'good', which is not a number",
        options={"rating_min": 3},
    ),
    "a comma before the ids": Case(
        csv("a,u,A", "x,y,u,B", header=b"note,user_id,item_id\n"), "line 3 has 4 fields, the header 3"
    ),
    # Large values and malformed lines.
    "a line of 10 MB": Case(jsonl({**TINY[0], "text": LONG}, TINY[1]), AB),
    "a field of 10 MB": Case(csv(f"u,A,1,{LONG}", "u,B,2,x", header=b"user_id,item_id,timestamp,text\n"), AB),
    "a field of 10 MB and a fault": Case(
        csv(f"{LONG},u,A,1", "x,u,B,2,y", header=b"text,user_id,item_id,timestamp\n"),
        "line 3 has 5 fields, the header 4",
    ),
    "malformed line": Case(jsonl(TINY[0], "{", TINY[1]), r"record 2 is not JSON.*\n.*--max-bad-rows"),
    "malformed late line": Case(jsonl(*TINY * 60, '{"user_id": '), "line 121 is not JSON"),
    "malformed lines allowed": Case(
        jsonl("{oops", *TINY, "[1]", *TINY * 60, "x"),
        AB,
        {"bad_rows": {"log.csv": [1, 4, 125]}},
        "log.csv: malformed lines were skipped: 1, 4, 125",
        {"max_bad_rows": 3},
    ),
    "one too many": Case(
        jsonl("{oops", *TINY, "[1]", "x"),
        r"too many malformed lines: 1, 4, 5 and perhaps more; --max-bad-rows allows 2",
        options={"max_bad_rows": 2},
    ),
    "only malformed lines": Case(b"{oops\n" * 5, "record 1 is not JSON", options={"max_bad_rows": 9}),
    "allowance that is not needed": Case(jsonl(*TINY), AB, options={"max_bad_rows": 5}),
    "malformed Python": Case(
        jsonl(*(str(event) for event in TINY), "{'user_id': f()}", "{'user_id'"),
        AB,
        {"bad_rows": {"log.csv": [3, 4]}},
        options={"max_bad_rows": 2, "format": "table"},
    ),
    "rows of CSV are never skipped": Case(
        csv("u,A,1", "u,B,2,3"), "line 3 has 4 fields, the header 3", options={"max_bad_rows": 9}
    ),
    # Too little.
    "fewer than three items": Case(
        csv("u,A,1", "u,B,2"), AB, {"users_for_training_only": 1}, "leave-one-out needs users with at least 3 items"
    ),
    "one interaction": Case(csv("u,A,1"), {"u": ["A"]}, {"items": 1, "users": 1, "density": 1.0}),
    "one item, many users": Case(
        csv(*(f"u{n},A,{n}" for n in range(4))), {f"u{n}": ["A"] for n in range(4)}, {"items": 1}
    ),
    "k-core of nothing": Case(csv("u,A,1", "u,B,2"), "no users and items have 2 interactions", options={"k_core": 2}),
    "rating of nothing": Case(
        csv("u,A,1,2", header=b"user_id,item_id,timestamp,rating\n"),
        "no interaction is left",
        options={"rating_min": 9},
    ),
    "no row": Case(parquet(user_id=[], item_id=[]), "holds no interaction"),
}


@pytest.mark.parametrize("case", CASES)
def test_log(run: Run, tmp_path: Path, case: str) -> None:
    data, users, facts, warning, options, name = CASES[case]
    path = tmp_path / name
    path.write_bytes(data)
    options = {"k_core": 0, **options}
    if isinstance(users, str):
        with pytest.raises(DataError, match=users) as caught:
            run(path, **options)
        assert caught.value.hint
        assert not list((tmp_path / "work").glob("*.parquet"))
        return
    # Times of one user may be equal here and rows repeated: what counts is who has what, in which order.
    made = run(path, **options)
    assert made.users == users
    assert {key: counts_dropped(made.facts) if key == "dropped" else made.facts[key] for key in facts} == facts
    assert warning in "\n".join(made.warnings)


@pytest.mark.parametrize("part", ["train", "valid", "test"])
def test_truncated_part_of_a_split(run: Run, tmp_path: Path, part: str) -> None:
    for name in ("train", "valid", "test"):
        rows = b"".join(b"u%d,i%d,5,%d\n" % (n, n, START + n) for n in range(20_000))
        data = gzip.compress(b"user_id,parent_asin,rating,timestamp\n" + rows)
        (tmp_path / f"T.{name}.csv.gz").write_bytes(data[: -len(data) // 2] if name == part else data)
    with pytest.raises(DataError, match=rf"T\.{part}\.csv\.gz: the gzip file is truncated"):
        run(tmp_path / "T.train.csv.gz")
