"""Logs in any table: CSV, TSV, JSON lines, Parquet."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from plain_tables import COLUMNS, EXPECTED, save
from reasons import counts_dropped

from stages.artifacts.errors import DataError, UsageError

Write = Callable[..., Path]
Run = Callable[..., Any]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_every_kind_of_file(run: Run, log: pl.DataFrame, tmp_path: Path, suffix: str) -> None:
    made = run(save(log, tmp_path / "raw" / f"log{suffix}"), **COLUMNS)
    assert made.users == EXPECTED
    assert made.times["u"] == [1, 2, 3]
    assert made.facts["format"] == "table"


def test_the_name_of_the_file_decides_nothing(run: Run, log: pl.DataFrame, tmp_path: Path) -> None:
    path = save(log, tmp_path / "raw" / "log.parquet")
    assert run(path.rename(path.with_name("log[1]*.txt")), **COLUMNS).users == EXPECTED
    path = save(log, tmp_path / "raw" / "log.jsonl")
    assert run(path.rename(path.with_name("log[2]?.txt")), **COLUMNS).users == EXPECTED


def test_log_without_times_keeps_its_order_and_repetitions(run: Run, write: Write) -> None:
    rows = ["user_id,item_id", "u,B", "v,B", "u,A", "u,B", "u,B"]
    made = run(write("log.csv", rows), k_core=0)
    assert made.users == {"u": ["B", "A", "B", "B"], "v": ["B"]}
    assert made.times == {"u": None, "v": None}
    assert any("order of its rows" in warning for warning in made.warnings)


def test_integer_ids_of_parquet(run: Run, tmp_path: Path) -> None:
    frame = pl.DataFrame({"user_id": [10, 9, 9], "item_id": [2, 10, 2], "timestamp": [1, 2, 3]})
    made = run(save(frame, (tmp_path / "raw" / "log.parquet")), k_core=0)
    assert made.users == {"10": ["2"], "9": ["10", "2"]}
    assert list(made.items) == ["10", "2"]  # byte order of the ids


def test_ids_of_any_text(run: Run, tmp_path: Path) -> None:
    ids = ["a b", "é", "😀", "x,y", "tab\there", '"q"', "Z", "0", "#2"]
    frame = pl.DataFrame({"user_id": ["ü 1"] * len(ids), "item_id": ids, "timestamp": range(len(ids))})
    made = run(save(frame, tmp_path / "raw" / "log.csv"), k_core=0)
    assert made.users == {"ü 1": ids}
    assert list(made.items) == sorted(ids, key=str.encode)


def test_bom_and_windows_line_ends(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(b"\xef\xbb\xbfuser_id, item_id ,timestamp\r\nu,A,1\r\nu,B,2\r\n")
    assert run(path, k_core=0).users == {"u": ["A", "B"]}


EVENTS = [("u", "A", 1, "buy", 4.5), ("u", "B", 2, "view", 0.0), ("v", "A", 3, "buy", 2.0), ("v", "C", 4, None, 9.0)]
NAMES = {"user": pl.String, "item": pl.String, "time": pl.Int64, "event": pl.String, "price": pl.Float64}


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_a_part_of_the_log_is_taken_and_the_rest_counted(run: Run, tmp_path: Path, suffix: str) -> None:
    path = save(pl.DataFrame(EVENTS, NAMES, orient="row"), tmp_path / "raw" / f"log{suffix}")
    # The columns bear the names that the stage itself uses.
    options = {"user_column": "user", "item_column": "item", "time_column": "time", "k_core": 0}
    made = run(path, where="event = 'buy'", **options)
    assert made.users == {"u": ["A"], "v": ["A"]}
    assert counts_dropped(made.facts) == {"rows outside --where event = 'buy'": 2}
    assert made.facts["histories"]["interactions"] == 2
    both = run(path, where="event = 'buy' AND price > 3 OR \"user\" = 'v' AND time >= 4", **options)
    assert both.users == {"u": ["A"], "v": ["C"]}
    with pytest.raises(DataError, match="--where \"event = 'gone'\" holds for none of the 4 rows"):
        run(path, where="event = 'gone'", **options)
    with pytest.raises(UsageError, match="no column 'kind'; there are 'user', 'item', 'time', 'event', 'price'"):
        run(path, where="kind = 'buy'", **options)


def test_a_column_of_the_condition_that_only_later_records_have(run: Run, write: Write) -> None:
    rows = [{"user_id": "u", "item_id": f"i{n}", "timestamp": n} for n in range(200)]
    made = run(write("log.jsonl", [*rows, {**rows[0], "gift": True}]), where="gift", k_core=0)
    assert made.users == {"u": ["i0"]}
    assert counts_dropped(made.facts) == {"rows outside --where gift": 200}


def test_files_of_which_the_condition_reads_different_types(run: Run, write: Write) -> None:
    first = write("a.csv", ["user_id,item_id,timestamp,price", "u,A,1,3", "u,B,2,4"])
    second = write("b.csv", ["user_id,item_id,timestamp,price", "u,C,3,3.5", "u,D,4,1.5"])
    assert run(first, second, where="price > 3", k_core=0).users == {"u": ["B", "C"]}


@pytest.mark.parametrize("kind", ["jsonl", "bom", "python", "malformed"])
def test_half_an_emoji_in_an_id_is_a_row_that_is_dropped_and_counted(run: Run, tmp_path: Path, kind: str) -> None:
    rows = [{"user_id": "u\U0001f600", "item_id": f"i{n}", "timestamp": n} for n in range(4)]
    rows += [
        {"user_id": "u\ud83d", "item_id": "i1", "timestamp": 9},
        {"user_id": "v", "item_id": "\ude00", "timestamp": 9},
    ]
    lines = [repr(row) if kind == "python" else json.dumps(row) for row in rows] + (
        ["{"] if kind == "malformed" else []
    )
    path = tmp_path / "log.jsonl"
    path.write_bytes((b"\xef\xbb\xbf" if kind == "bom" else b"") + "".join(f"{line}\n" for line in lines).encode())
    made = run(path, k_core=0, max_bad_rows=1)
    assert made.users == {"u\U0001f600": ["i0", "i1", "i2", "i3"]}
    assert counts_dropped(made.facts) == {"rows with half a character in an id": 2}
    assert made.facts["rows_read"] == 6
    assert any("2 rows with half a character in an id were dropped" in warning for warning in made.warnings)


def test_records_are_counted_apart_from_the_reader(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    record = '{"user_id": "u", "item_id": "%s", "timestamp": 1}'
    path.write_text(f"{record % 'a'}\n\n  \t\r\n{record % 'b'}")
    assert run(path, k_core=0).facts["rows_read"] == 2
    path.write_text(f"{record % 'a'}\n{record % 'b'} {record % 'c'}\n")
    with pytest.raises(DataError, match=r"log\.jsonl"):  # two records on a line are never one
        run(path, k_core=0)
