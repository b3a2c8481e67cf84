"""Times of every type, as integers."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from plain_tables import COLUMNS, EXPECTED, save

from stages.artifacts.errors import DataError

Write = Callable[..., Path]
Run = Callable[..., Any]


@pytest.mark.parametrize(
    "times",
    [
        [3.0, 1.5, 1.0, 9e9],
        [dt.datetime(2024, 1, day) for day in (2, 1, 1, 3)],
        [dt.date(2024, 1, day) for day in (2, 1, 1, 3)],
        [f"2024-01-0{day}T00:00:00Z" for day in (2, 1, 1, 3)],
        [f"2024-01-0{day} 00:00:00.5" for day in (2, 1, 1, 3)],
        [f"2024-01-0{day}" for day in (2, 1, 1, 3)],
        ["1600000000", " 15e8", "1500000000.0", "1700000000"],
    ],
    ids=["float", "datetime", "date", "zoned text", "text", "date text", "number text"],
)
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_times_of_every_type(run: Run, log: pl.DataFrame, tmp_path: Path, times: list[Any], suffix: str) -> None:
    made = run(save(log.with_columns(pl.Series("when", times)), tmp_path / "raw" / f"log{suffix}"), **COLUMNS)
    assert made.users == EXPECTED


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_fractions_of_numbers_are_kept(run: Run, log: pl.DataFrame, tmp_path: Path, suffix: str) -> None:
    when = pl.Series("when", [2.7, -1.2, 1.0, 1e12 + 0.5])
    made = run(save(log.with_columns(when), tmp_path / "raw" / f"log{suffix}"), **COLUMNS)
    assert made.times == {"u": [1000, 2700, 10**15 + 500], "v": [-1200]}


def test_dates_become_milliseconds(run: Run, log: pl.DataFrame, tmp_path: Path) -> None:
    when = pl.Series("when", ["1970-01-01T00:00:02Z", "1970-01-01T01:00:00+01:00", "1970-01-01", "1970-01-02"])
    made = run(save(log.with_columns(when), tmp_path / "raw" / "log.csv"), **COLUMNS)
    assert made.times == {"u": [0, 2000, 86_400_000], "v": [0]}


def test_time_that_is_no_time_is_refused(run: Run, log: pl.DataFrame, tmp_path: Path) -> None:
    when = pl.Series("when", ["1", "soon", "2", "later"])
    with pytest.raises(DataError, match=r"column 'when' holds 'soon', which is not a time.*2 such rows"):
        run(save(log.with_columns(when), tmp_path / "raw" / "log.csv"), **COLUMNS)


@pytest.mark.parametrize(
    ("texts", "layout"),
    [
        (["31.05.2024 12:00", "1.6.2024 09:30"], "%d.%m.%Y %H:%M"),
        (["05/31/2024 02:00 PM", "06/01/2024 09:30 AM"], "%m/%d/%Y %I:%M %p"),
        (["31/05/2024", "01/06/2024"], "%d/%m/%Y"),
        (["20240531", "20240601"], "%Y%m%d"),
        (["Fri May 31 12:00:00 +0200 2024", "Sat Jun 01 12:00:00 +0200 2024"], "%a %b %d %H:%M:%S %z %Y"),
    ],
)
@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_times_as_they_are_said_to_be(run: Run, tmp_path: Path, texts: list[str], layout: str, suffix: str) -> None:
    frame = pl.DataFrame({"who": "u", "what": ["B", "A"], "when": texts[::-1]})
    made = run(save(frame, tmp_path / "raw" / f"log{suffix}"), time_format=layout, **COLUMNS)
    assert made.users == {"u": ["A", "B"]}
    day = dt.datetime.fromtimestamp(made.times["u"][0] / 1000, dt.UTC).date()
    assert (made.facts["time_unit"], day) == ("ms", dt.date(2024, 5, 31))


def test_times_that_are_not_as_said(run: Run, log: pl.DataFrame, tmp_path: Path) -> None:
    when = pl.Series("when", ["31.05.2024", "2024-05-31", "1.6.2024", "2.6.2024"])
    path = save(log.with_columns(when), tmp_path / "raw" / "log.csv")
    with pytest.raises(DataError, match=r"holds '2024-05-31', which is not a time as --time-format '%d.%m.%Y' has"):
        run(path, time_format="%d.%m.%Y", **COLUMNS)
    with pytest.raises(DataError, match=r"holds '31.05.2024', which is not a time.*3 such rows.*\n.*--time-format"):
        run(path, **COLUMNS)


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("2024-05-31 12:00:00+00", 1_717_156_800_000),
        ("2024-05-31 12:00", 1_717_156_800_000),
        ("2024-05-31 14:00:00.5+02", 1_717_156_800_500),
        ("2024-05-31 08:30:00.25-03:30", 1_717_156_800_250),
        ("2024-05-31T12:00:00,125z", 1_717_156_800_125),
        ("2024-05-31 12:00:00.1230000 +00:00", 1_717_156_800_123),
        ("2024-05-31 12:00:00 UTC", 1_717_156_800_000),
        ("2024-05-31 12:00:00 +0000 UTC", 1_717_156_800_000),
        ("2024/5/31 12:00", 1_717_156_800_000),
        ("0001-01-01", -62_135_596_800_000),
        ("9999-12-31T23:59:59Z", 253_402_300_799_000),
    ],
)
def test_dates_with_the_year_first(run: Run, tmp_path: Path, text: str, milliseconds: int) -> None:
    frame = pl.DataFrame({"who": ["u"], "what": ["A"], "when": [text]})
    assert run(save(frame, tmp_path / "raw" / "log.csv"), **COLUMNS).times == {"u": [milliseconds]}


@pytest.mark.parametrize("text", ["31/05/2024", "2024-13-01", "2024-05-31 25:00", "24-05-31", "2024-W22"])
def test_dates_that_are_not_guessed(run: Run, tmp_path: Path, text: str) -> None:
    frame = pl.DataFrame({"who": ["u"], "what": ["A"], "when": [text]})
    with pytest.raises(DataError, match="which is not a time"):
        run(save(frame, tmp_path / "raw" / "log.csv"), **COLUMNS)


def test_times_that_do_not_fit(run: Run, tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"who": ["u", "u"], "what": ["A", "B"], "when": ["9999-12-31", "2024-01-01T00:00:00.000000001"]}
    )
    with pytest.raises(DataError, match="holds times of 9 decimals that do not fit into 64 bits"):
        run(save(frame, tmp_path / "raw" / "log.csv"), **COLUMNS)
