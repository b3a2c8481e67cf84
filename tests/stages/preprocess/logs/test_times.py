"""Times of every type, as integers."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from stages.artifacts.errors import DataError

Write = Callable[..., Path]
Run = Callable[..., Any]
COLUMNS = {"user_column": "who", "item_column": "what", "time_column": "when", "k_core": 0}
LOG = [("u", "B", 2), ("v", "A", 1), ("u", "A", 1), ("u", "C d,\te", 3)]
EXPECTED = {"u": ["A", "B", "C d,\te"], "v": ["A"]}


def save(frame: pl.DataFrame, path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    match path.suffix:
        case ".csv":
            frame.write_csv(path)
        case ".tsv":
            frame.write_csv(path, separator="\t")
        case ".jsonl":
            frame.write_ndjson(path)
        case ".parquet":
            frame.write_parquet(path)
    return path


@pytest.fixture
def log() -> pl.DataFrame:
    return pl.DataFrame(LOG, schema={"who": pl.String, "what": pl.String, "when": pl.Int64}, orient="row")


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
