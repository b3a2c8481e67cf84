"""Random tables written by other programs, read by the stage and by a plain reading of what was written.

Users, items, their order, times and counts have to be the same whoever wrote the table: pandas, polars, DuckDB, Spark's
and MySQL's rules, Python's csv and json.
"""

import csv
import datetime as dt
import json
import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from reasons import counts_dropped

Run = Callable[..., Any]
NAMES = ("user_id", "note", "item_id", "timestamp")
EPOCH = dt.datetime(1970, 1, 1)
START = 1_600_000_000
EXAMPLES = int(os.environ.get("COCOREC_TEST_EXAMPLES", "5"))
"""Of each kind of table; a search for further differences takes hundreds."""


class Event(NamedTuple):
    """A row of a log: ``None`` where there is nothing."""

    user: str | None
    note: str | None
    item: str | None
    time: str | None


def expected(events: list[Event], unit: Decimal) -> tuple[dict[str, list[str]], dict[str, int]]:
    """The items of each user in order of time, then of the file; and how many rows go, by reason."""
    named = [event for event in events if event.user and event.item]
    timed = [event for event in named if event.time is not None]
    dropped = {
        "rows without a user or an item": len(events) - len(named),
        "rows without a time": len(named) - len(timed),
    }
    found: dict[str, list[tuple[Decimal, str]]] = {}
    for event in timed:
        pair = (Decimal(str(event.time)) * unit, str(event.item))
        if pair in found.setdefault(str(event.user), []):
            dropped["repeated rows (user, item and time)"] = dropped.get("repeated rows (user, item and time)", 0) + 1
        else:
            found[str(event.user)].append(pair)
    users = {user: [item for _, item in sorted(pairs, key=lambda pair: pair[0])] for user, pairs in found.items()}
    return users, {reason: count for reason, count in dropped.items() if count}


def with_python(path: Path, events: list[Event], separator: str = ",", **dialect: Any) -> None:
    with path.open("w", newline="", encoding=dialect.pop("encoding", "utf-8")) as file:
        writer = csv.writer(file, delimiter=separator, **dialect)
        writer.writerow(NAMES)
        writer.writerows([["" if value is None else value for value in event] for event in events])


def with_pandas(path: Path, events: list[Event], **dialect: Any) -> None:
    pd.DataFrame(events, columns=NAMES, dtype=object).to_csv(path, index=False, **dialect)


def with_polars(path: Path, events: list[Event]) -> None:
    pl.DataFrame(events, schema=dict.fromkeys(NAMES, pl.String), orient="row").write_csv(path)


def with_duckdb(path: Path, events: list[Event]) -> None:
    frame = pa.table(
        {name: pa.array(column, pa.string()) for name, column in zip(NAMES, zip(*events, strict=True), strict=True)}
    )
    ending = path.suffix[1:]
    options = {"csv": "FORMAT csv, HEADER", "jsonl": "FORMAT json", "parquet": "FORMAT parquet"}[ending]
    with duckdb.connect() as connection:
        connection.register("events", frame)
        connection.execute(f"COPY (SELECT * FROM events) TO '{path}' ({options})")


def with_spark(path: Path, events: list[Event], quote_all: bool = False) -> None:
    r"""Fields that need it are quoted, a quote and a backslash in them become ``\"`` and ``\\``; others stay so."""

    def field(value: str | None) -> str:
        if value is None:
            return ""
        if not value:
            return '""'
        if quote_all or any(sign in value for sign in ',"\n\r') or value.strip() != value:
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        return value

    rows = [NAMES, *events]
    path.write_bytes("".join(",".join(map(field, row)) + "\n" for row in rows).encode())


def with_mysql(path: Path, events: list[Event]) -> None:
    """``SELECT ... INTO OUTFILE``: no quotes, a backslash before tabs, line ends and backslashes, ``\\N`` for null."""

    def field(value: str | None) -> str:
        if value is None:
            return "\\N"
        return "".join("\\" + sign if sign in "\\\t\n" else sign for sign in value)

    path.write_bytes("".join("\t".join(map(field, row)) + "\n" for row in [NAMES, *events]).encode())


def with_dump(path: Path, events: list[Event]) -> None:
    """Tabs, and nothing else has a meaning."""
    rows = [NAMES, *([value or "" for value in event] for event in events)]
    path.write_bytes("".join("\t".join(row) + "\n" for row in rows).encode())


def with_json(path: Path, events: list[Event], **dialect: Any) -> None:
    with path.open("w", encoding="utf-8") as file:
        for event in events:
            record = {name: value for name, value in zip(NAMES, event, strict=True) if value is not None}
            file.write(json.dumps({"price": float("nan"), **record}, **dialect) + "\n")


WRITERS: dict[str, tuple[str, Callable[[Path, list[Event]], None]]] = {
    "python": ("csv", with_python),
    "python, all quoted": ("csv", lambda path, events: with_python(path, events, quoting=csv.QUOTE_ALL)),
    "python, semicolons": ("csv", lambda path, events: with_python(path, events, ";")),
    "excel, tabs, UTF-16": ("txt", lambda path, events: with_python(path, events, "\t", encoding="utf-16")),
    "excel, UTF-8 with BOM": ("csv", lambda path, events: with_python(path, events, ";", encoding="utf-8-sig")),
    "pandas": ("csv", with_pandas),
    "pandas, escapes": ("csv", lambda path, events: with_pandas(path, events, doublequote=False, escapechar="\\")),
    "pandas, xz": ("csv.xz", with_pandas),
    "pandas, zip": ("csv.zip", with_pandas),
    "polars": ("csv", with_polars),
    "duckdb": ("csv", with_duckdb),
    "duckdb, JSON": ("jsonl", with_duckdb),
    "duckdb, Parquet": ("parquet", with_duckdb),
    "spark": ("csv", with_spark),
    "spark, all quoted": ("csv", lambda path, events: with_spark(path, events, quote_all=True)),
    "json": ("jsonl", with_json),
    "json, not ASCII": ("jsonl", lambda path, events: with_json(path, events, ensure_ascii=False)),
}

BACKSLASHES = {"pandas, escapes", "spark", "spark, all quoted"}
"""Programs that put a backslash before a quote; the others double it."""


def _another_table(path: Path, events: list[Event]) -> bool:
    """Whether the file is a whole table of doubled quotes, too, with other rows: nobody can tell which is meant."""
    with path.open(newline="", encoding="utf-8") as file:
        try:
            rows = list(csv.reader(file, strict=True))[1:]
        except csv.Error:
            return False
    said = [["" if value is None else value for value in event] for event in events]
    return all(len(row) == len(NAMES) for row in rows) and [(u, i, t) for u, _, i, t in rows] != [
        (u, i, t) for u, _, i, t in said
    ]


_ID = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Zs"], exclude_characters='"\\'), max_size=5)
_NOTE = st.lists(
    st.sampled_from([*'ab",;|\\ \n', '6" pipe', "C:\\dir\\", '\\"', '""', "é😀", "\\N", "x\r\ny", "'", "#"]), max_size=6
).map("".join)


def spelt(id: str) -> str | None:
    """An id that no rule changes: not blank, no number with zeros behind a point."""
    return None if not id or id.rstrip("0").endswith(".") else id


_SECONDS = st.integers(0, 9).map(lambda n: str(START + n))
_FRACTIONS = st.tuples(st.integers(0, 3), st.sampled_from(["", ".5", ".25", ".000001", ".123456789", ".100000"])).map(
    lambda pair: f"{START + pair[0]}{pair[1]}"
)


def events(times: st.SearchStrategy[str]) -> st.SearchStrategy[list[Event]]:
    one = st.builds(
        Event,
        st.one_of(_ID.map(spelt), st.sampled_from(["u", "v", "w"])),
        st.one_of(st.none(), _NOTE.map(lambda note: note or None)),
        st.one_of(_ID.map(spelt), st.sampled_from(["A", "B", "C"])),
        st.one_of(times, times, times, st.none()),
    )
    whole = Event("u", None, "A", str(START))
    return st.lists(one, max_size=12).map(lambda found: [whole, *found])


def compare(run: Run, path: Path, rows: list[Event], **options: Any) -> Any:
    made = run(path, k_core=0, force=True, **options)
    users, dropped = expected(rows, Decimal(1))
    assert made.users == users
    assert counts_dropped(made.facts) == dropped
    assert made.facts["interactions"] + sum(dropped.values()) == len(rows)
    return made


@pytest.mark.parametrize("writer", WRITERS)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=events(st.one_of(_SECONDS, _FRACTIONS)))
@example(rows=[Event("u", '6\\" pipe', "A", "1"), Event("v", 'a \\"', "B", "2")])
@example(rows=[Event("u", "C:\\", "A", "1"), Event("v", "D:\\", "B", "2")])
@example(rows=[Event("u", '"', "A", "2"), Event("u", '"', "B", "1"), Event("u", "x\ny", "C", "0")])
def test_tables_of_other_programs(run: Run, tmp_path: Path, writer: str, rows: list[Event]) -> None:
    ending, write = WRITERS[writer]
    path = tmp_path / f"log.{ending}"
    path.unlink(missing_ok=True)
    write(path, rows)
    assume(writer not in BACKSLASHES or not _another_table(path, rows))
    made = compare(run, path, rows)
    unit = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9, None: 1}[made.facts["time_unit"]]
    times = {int(Decimal(event.time) * unit) for event in rows if event.time and event.user and event.item}
    assert {time for found in made.times.values() for time in found or ()} == times


_WORDS = st.text(st.sampled_from("abcé😀'\\; 6\""), max_size=8)
_PLAIN = st.builds(
    Event, st.sampled_from("uvw"), _WORDS.map(lambda text: text.strip() or None), st.sampled_from("ABC"), _SECONDS
)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(_PLAIN, min_size=1, max_size=12), crlf=st.booleans())
def test_dumps_without_quotes(run: Run, tmp_path: Path, rows: list[Event], crlf: bool) -> None:
    path = tmp_path / "log.tsv"
    with_dump(path, rows)
    if crlf:
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    compare(run, path, rows, quote="none", escape="none")


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.builds(
            Event,
            st.sampled_from("uvw"),
            _NOTE.map(lambda n: n.replace("\r", "")),
            st.sampled_from("ABC"),
            st.one_of(_SECONDS, st.none()),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_mysql_outfiles(run: Run, tmp_path: Path, rows: list[Event]) -> None:
    rows = [Event("u", None, "A", str(START)), *rows]
    path = tmp_path / "log.tsv"
    with_mysql(path, rows)
    compare(run, path, rows, quote="none", escape="\\", null_values=["\\N"])


_MOMENT = st.datetimes(dt.datetime(1995, 1, 1), dt.datetime(2095, 1, 1))
_LAYOUTS: dict[str, Callable[[dt.datetime], str]] = {
    "iso": lambda t: t.isoformat(),
    "iso, zone": lambda t: t.isoformat() + "Z",
    "postgres": lambda t: t.isoformat(" ") + "+00",
    "another zone": lambda t: (t + dt.timedelta(hours=5, minutes=30)).isoformat(" ") + "+05:30",
    "west": lambda t: (t - dt.timedelta(hours=3, minutes=30)).isoformat() + "-0330",
    "bigquery": lambda t: t.isoformat(" ") + " UTC",
    "slashes": lambda t: t.isoformat(" ").replace("-", "/"),
}


@pytest.mark.parametrize("layout", [*_LAYOUTS, "us", "ns", "ms", "tz", "pandas", "duckdb"])
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moments=st.lists(_MOMENT, min_size=1, max_size=8, unique=True))
def test_times_of_other_programs(run: Run, tmp_path: Path, layout: str, moments: list[dt.datetime]) -> None:
    if layout == "ms":
        moments = list({moment.replace(microsecond=moment.microsecond // 1000 * 1000): None for moment in moments})
    items = [f"i{number}" for number in range(len(moments))]
    path = tmp_path / ("log.csv" if layout in (*_LAYOUTS, "pandas") else "log.parquet")
    if layout in _LAYOUTS:
        texts = [_LAYOUTS[layout](moment) for moment in moments]
        pl.DataFrame({"user_id": "u", "item_id": items, "timestamp": texts}).write_csv(path)
    elif layout == "pandas":
        pd.DataFrame({"user_id": "u", "item_id": items, "timestamp": moments}).to_csv(path, index=False)
    elif layout == "duckdb":
        frame = pa.table({"user_id": ["u"] * len(items), "item_id": items, "t": pa.array(moments, pa.timestamp("us"))})
        with duckdb.connect() as connection:
            connection.register("frame", frame)
            query = "SELECT user_id, item_id, t AS timestamp FROM frame"
            connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    else:
        kind = pa.timestamp("us", "Asia/Tokyo") if layout == "tz" else pa.timestamp(layout)
        pq.write_table(
            pa.table({"user_id": ["u"] * len(items), "item_id": items, "timestamp": pa.array(moments, kind)}), path
        )
    made = run(path, k_core=0, force=True)
    order = sorted(range(len(moments)), key=lambda number: moments[number])
    assert made.users == {"u": [items[number] for number in order]}
    unit = {"ms": 1000, "us": 1, "ns": Decimal("0.001")}[made.facts["time_unit"]]
    microseconds = [(moments[number] - EPOCH) // dt.timedelta(microseconds=1) for number in order]
    assert made.times["u"] == [int(time / unit) for time in microseconds]


_ITEM = st.text(st.sampled_from("abc '\"\\,;é"), min_size=1, max_size=8)


@pytest.mark.parametrize("writer", ["csv", "pandas", "parquet", "duckdb", "json"])
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.one_of(st.none(), _ITEM), min_size=1, max_size=8))
def test_metadata_of_other_programs(run: Run, tmp_path: Path, writer: str, texts: list[str | None]) -> None:
    ids = [f"i{number}" for number in range(len(texts))]
    log, path = tmp_path / "log.csv", tmp_path / {"json": "m.jsonl", "parquet": "m.parquet"}.get(writer, "m.csv")
    log.write_text("user_id,item_id\n" + "".join(f"u,{id}\n" for id in ids))
    frame = pa.table({"item_id": ids, "title": pa.array(texts, pa.string())})
    match writer:
        case "csv":
            pl.DataFrame(frame).write_csv(path)
        case "pandas":
            frame.to_pandas().to_csv(path, index=False)
        case "parquet":
            pq.write_table(frame, path)
        case "json":
            pl.DataFrame(frame).write_ndjson(path)
        case _:
            with duckdb.connect() as connection:
                connection.register("frame", frame)
                connection.execute(f"COPY (SELECT * FROM frame) TO '{path}' (FORMAT csv, HEADER)")
    made = run(log, items=[path], k_core=0, force=True, views=["title"])
    wanted = [" ".join(text.split()) or None if text else None for text in texts]
    assert [made.items[id].get("title") for id in ids] == wanted
