import csv
import json

import pyarrow as pa
import pytest

from stages.artifacts.lists import recommendations_schema
from stages.recommend.output import list_writer

FORMULAS = ["=1+1", "+cmd", "-2", "@sum", "\tx", "\rx"]


def test_texts_that_a_spreadsheet_would_run_are_defused_in_csv_alone(tmp_path):
    schema = recommendations_schema(["title"])
    harmless = ["a=b", "", None]
    titles = [*FORMULAS, *harmless]
    ids = [f"i{n}" for n in range(len(titles))]
    table = pa.table([["=user"], [ids], [[-0.5] * len(ids)], [False], [titles]], schema=schema)
    for ending in ("csv", "jsonl", "parquet"):
        with list_writer(tmp_path / f"x.{ending}", schema) as writer:
            writer.write(table)
    with (tmp_path / "x.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["title"] for row in rows] == [*("'" + text for text in FORMULAS), "a=b", "", ""]
    assert {row["user_id"] for row in rows} == {"'=user"}
    assert {row["score"] for row in rows} == {"-0.5"}  # a number is no text
    assert "'" not in (tmp_path / "x.jsonl").read_text()


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_nothing_is_left_of_a_write_that_fails(tmp_path, ending):
    schema = recommendations_schema()
    with pytest.raises(ZeroDivisionError), list_writer(tmp_path / f"x.{ending}", schema) as writer:
        writer.write(pa.table([["u"], [["a"]], [[0.5]], [False]], schema=schema))
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_lists_without_entries_have_no_line_in_csv(tmp_path):
    schema = recommendations_schema()
    with list_writer(tmp_path / "x.csv", schema) as writer:
        writer.write(pa.table([["u", "v"], [[], ["a"]], [[], [0.5]], [False, False]], schema=schema))
    assert (tmp_path / "x.csv").read_text().splitlines()[1:] == ['"v",1,"a",0.5,false']


def test_json_lines_hold_nothing_that_a_terminal_obeys(tmp_path):
    schema = recommendations_schema()
    hostile = "a\x1b[31m\x9b5A\u202e\u2028\x7fGröße"
    with list_writer(tmp_path / "x.jsonl", schema) as writer:
        writer.write(pa.table([[hostile], [[hostile]], [[0.5]], [False]], schema=schema))
    text = (tmp_path / "x.jsonl").read_text(encoding="utf-8")
    assert text.removesuffix("\n").isprintable()
    assert json.loads(text)["item_ids"] == [hostile]
    assert "Größe" in text
