"""Generic logs and catalogues: CSV, TSV, JSON lines, Parquet."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from stages.artifacts.errors import DataError, UsageError

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
def test_fractions_of_numbers_are_cut_off(run: Run, log: pl.DataFrame, tmp_path: Path, suffix: str) -> None:
    when = pl.Series("when", [2.7, -1.2, 1.0, 1e12 + 0.5])
    made = run(save(log.with_columns(when), tmp_path / "raw" / f"log{suffix}"), **COLUMNS)
    assert made.times == {"u": [1, 2, 10**12], "v": [-2]}


def test_dates_become_milliseconds(run: Run, log: pl.DataFrame, tmp_path: Path) -> None:
    when = pl.Series("when", ["1970-01-01T00:00:02Z", "1970-01-01T01:00:00+01:00", "1970-01-01", "1970-01-02"])
    made = run(save(log.with_columns(when), tmp_path / "raw" / "log.csv"), **COLUMNS)
    assert made.times == {"u": [0, 2000, 86_400_000], "v": [0]}


def test_time_that_is_no_time_is_refused(run: Run, log: pl.DataFrame, tmp_path: Path) -> None:
    when = pl.Series("when", ["1", "soon", "2", "later"])
    with pytest.raises(DataError, match=r"column 'when' holds 'soon', which is not a time.*2 such rows"):
        run(save(log.with_columns(when), tmp_path / "raw" / "log.csv"), **COLUMNS)


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


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_text_columns_of_a_catalogue_become_views(run: Run, log: pl.DataFrame, tmp_path: Path, suffix: str) -> None:
    texts = pl.DataFrame(
        {
            "price": [1.5, 2.5, 3.5, 4.5],
            "what": ["A", "unused", "B", "A"],
            "name": ["Saw &amp; blade", "x", "  ", "second row of A"],
            "new": [True, False, True, False],
            "tags": ['["steel", "black<br>matt"]', None, "[2 pack]", None],
        }
    )
    made = run(save(log, tmp_path / "raw" / "log.csv"), items=[save(texts, tmp_path / f"texts{suffix}")], **COLUMNS)
    # JSON has lists of its own, so there a text that looks like one is a text.
    tags = '["steel", "black matt"]' if suffix == ".jsonl" else "steel, black matt"
    assert made.items == {
        "A": {"name": "Saw & blade", "tags": tags},
        "B": {"name": None, "tags": "[2 pack]"},
        "C d,\te": {"name": None, "tags": None},
    }
    assert made.facts["metadata_rows_of_other_items"] == 1
    assert made.facts["metadata_rows_repeated"] == 1
    assert made.facts["items_without_metadata"] == 1


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_lists_and_structures_are_texts(run: Run, log: pl.DataFrame, tmp_path: Path, suffix: str) -> None:
    texts = pl.DataFrame({"item_id": ["A"], "tags": [["x", "y"]], "specs": [{"Size": "4", "Depth": None}]})
    made = run(save(log, tmp_path / "raw" / "log.csv"), items=[save(texts, tmp_path / f"texts{suffix}")], **COLUMNS)
    assert made.items["A"] == {"tags": "x, y", "specs": "Size: 4"}


def test_views_are_chosen_in_order_and_may_be_numbers(run: Run, log: pl.DataFrame, tmp_path: Path) -> None:
    texts = save(pl.DataFrame({"what": ["A"], "name": ["n"], "year": [1999]}), tmp_path / "texts.csv")
    made = run(save(log, tmp_path / "raw" / "log.csv"), items=[texts], views=["year", "name"], **COLUMNS)
    assert made.items["A"] == {"year": "1999", "name": "n"}
    assert list(made.items["A"]) == ["year", "name"]


def test_field_that_appears_late_in_json_lines_is_found(run: Run, write: Write) -> None:
    rows = [{"item_id": f"i{n}", "name": "x"} for n in range(300)] + [{"item_id": "A", "subtitle": "late"}]
    log = write("log.csv", ["user_id,item_id,timestamp", "u,A,1"])
    assert run(log, items=[write("texts.jsonl", rows)], k_core=0).items["A"] == {"subtitle": "late"}


def test_id_column_of_the_catalogue_can_be_named(run: Run, log: pl.DataFrame, tmp_path: Path) -> None:
    texts = save(pl.DataFrame({"sku": ["A"], "name": ["n"]}), tmp_path / "texts.csv")
    path = save(log, tmp_path / "raw" / "log.csv")
    assert run(path, items=[texts], items_id_column="sku", **COLUMNS).items["A"] == {"name": "n"}
    with pytest.raises(DataError, match=r"no column 'what'; there are 'sku', 'name'\nName .* --items-id-column"):
        run(path, items=[texts], **COLUMNS)


def test_reserved_view_names_are_refused(run: Run, log: pl.DataFrame, tmp_path: Path) -> None:
    texts = save(pl.DataFrame({"what": ["A"], "item": ["n"], "name": ["m"]}), tmp_path / "texts.csv")
    path = save(log, tmp_path / "raw" / "log.csv")
    with pytest.raises(UsageError, match="cannot be called 'item'"):
        run(path, items=[texts], **COLUMNS)
    assert run(path, items=[texts], views=["name"], **COLUMNS).items["A"] == {"name": "m"}


def test_without_a_catalogue_there_are_no_views_and_it_is_said(run: Run, log: pl.DataFrame, tmp_path: Path) -> None:
    made = run(save(log, tmp_path / "raw" / "log.csv"), **COLUMNS)
    assert made.items == {"A": {}, "B": {}, "C d,\te": {}}
    assert any("no text view" in warning for warning in made.warnings)


def test_facts_by_hand(run: Run, write: Write) -> None:
    rows = ["user_id,item_id,timestamp"]
    rows += [f"u{u},{item},{time}" for u, items in enumerate(["abcd", "abc", "a"]) for time, item in enumerate(items)]
    facts = run(write("log.csv", rows), k_core=0).facts
    assert (facts["users"], facts["items"]) == (3, 4)
    assert facts["interactions"] == 8
    assert facts["density"] == round(8 / 12, 8)
    assert facts["history_length"] == {"mean": 2.6667, "min": 1, "p25": 1, "median": 3, "p75": 4, "p95": 4, "max": 4}
    assert [facts[f"{part}_interactions"] for part in ("train", "valid", "test")] == [4, 2, 2]
    assert facts["test_items_not_in_training"] == 2  # c and d
