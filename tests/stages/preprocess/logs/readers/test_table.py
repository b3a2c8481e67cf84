"""Logs in any table: CSV, TSV, JSON lines, Parquet."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from plain_tables import COLUMNS, EXPECTED, save

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
