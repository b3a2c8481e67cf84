"""Texts of wanted items from JSON lines."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from stages.artifacts.errors import DataError
from stages.frame.reporter import Reporter
from stages.preprocess.items.item_table import ItemTable, Wanted
from stages.preprocess.items.readers.json_lines import read_json_lines, texts_of
from stages.preprocess.sources.reading import Reading
from stages.preprocess.sources.sample import take_sample

Write = Callable[..., Path]
FIELDS = {"name": lambda record: record.get("name"), "size": lambda record: record.get("specs", {}).get("Size")}


def read(*paths: Path, ids: str = "AB", cold: bool = False, null_values: tuple[str, ...] = ()) -> ItemTable:
    samples = [take_sample(path, Reading(null_values=null_values)) for path in paths]
    return read_json_lines(samples, "item_id", FIELDS, Wanted(pl.Series(list(ids)), cold), Reporter())


def item(number: str, **fields: Any) -> dict[str, Any]:
    return {"item_id": number, **fields}


def test_the_first_row_of_each_wanted_item_over_all_files(write: Write) -> None:
    one = write("one.jsonl", [item("B", name="b", specs={"Size": 4}), item("Z", name="z")])
    two = write("two.jsonl", [item("A", specs={}), item("B", name="again"), {"name": "of nothing"}])
    table = read(one, two)
    assert table.frame.to_dicts() == [{"id": "B", "name": "b", "size": "4"}, {"id": "A", "name": None, "size": None}]
    assert (table.views, table.unused, table.repeated) == (["name", "size"], 2, 1)


def test_cold_items_are_read_too(write: Write) -> None:
    table = read(write("one.jsonl", [item("A"), item("Z", name="z"), item(""), {"name": "x"}]), cold=True)
    assert table.frame["id"].to_list() == ["A", "Z"]
    assert (table.unused, table.repeated) == (2, 0)


def test_words_that_stand_for_nothing(write: Write) -> None:
    rows = [item("A", name="NULL", specs={"Size": "nan"}), item("NULL", name="n")]
    table = read(write("one.jsonl", rows), ids="A", cold=True, null_values=("NULL",))
    assert table.frame.to_dicts() == [{"id": "A", "name": None, "size": "nan"}]


def test_what_holds_no_wanted_item_is_refused(write: Write) -> None:
    with pytest.raises(DataError, match=r"one\.jsonl: none of the 1 rows .* 'item_id' holds ids such as \['Q'\]"):
        read(write("one.jsonl", [item("Q")]))
    with pytest.raises(DataError, match=r"two\.jsonl: record 2 is not JSON"):
        read(write("two.jsonl", [item("A"), "{"]))


def test_texts_of_records_are_a_structure_of_strings() -> None:
    records = [{"name": 5, "specs": {"Size": "-"}}, {"name": None}]
    found = texts_of(records, FIELDS, ["-"], lambda value: None if value is None else str(value))
    assert found.dtype == pl.Struct({"name": pl.String, "size": pl.String})
    assert found.to_list() == [{"name": "5", "size": None}, {"name": None, "size": None}]
    assert texts_of([], FIELDS, [], str).dtype == found.dtype
