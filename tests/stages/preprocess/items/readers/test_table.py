"""Item metadata in any table: CSV, TSV, JSON lines, Parquet."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from plain_tables import COLUMNS, save

from stages.artifacts.errors import DataError, UsageError

Write = Callable[..., Path]
Run = Callable[..., Any]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_text_columns_become_views(run: Run, log: pl.DataFrame, tmp_path: Path, suffix: str) -> None:
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


def test_id_column_of_the_items_can_be_named(run: Run, log: pl.DataFrame, tmp_path: Path) -> None:
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


def test_without_items_there_are_no_views_and_it_is_said(run: Run, log: pl.DataFrame, tmp_path: Path) -> None:
    made = run(save(log, tmp_path / "raw" / "log.csv"), **COLUMNS)
    assert made.items == {"A": {}, "B": {}, "C d,\te": {}}
    assert any("no text view" in warning for warning in made.warnings)
