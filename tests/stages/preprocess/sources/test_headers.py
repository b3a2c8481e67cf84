"""The first line of a text table: names, or already a row."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stages.artifacts.errors import DataError
from stages.preprocess.sources.sample import take_sample

Run = Callable[..., Any]
NAMED = {"columns": ["user_id", "item_id", "timestamp"]}


@pytest.mark.parametrize(
    ("line", "separator"),
    [("a,b,c", ","), ("a;b;c", ";"), ("a\tb\tc", "\t"), ("a|b|c", "|"), ("a\x01b\x01c", "\x01"), ('a;"b,b,b";c', ";")],
)
def test_separators(tmp_path: Path, line: str, separator: str) -> None:
    path = tmp_path / "table"
    path.write_text(line + "\n")
    assert take_sample(path).separator == separator
    assert len(take_sample(path).columns) == 3


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("u,B,2\nu,A,1\n", NAMED),
        ("\n\nu,B,2\nu,A,1\n", NAMED),
        ("u,B,2\nu,A,1\n", {"no_header": True, "user_column": "1", "item_column": "2", "time_column": "3"}),
        ("0,1,2\nu,B,2\nu,A,1\n", {"user_column": "0", "item_column": "1", "time_column": "2"}),
        ("sep=;\nuser_id;item_id;timestamp\nu;B;2\nu;A;1\n", {}),
        ("u::B::2\nu::A::1\n", {"separator": "::", **NAMED}),
        ("user_id^item_id^timestamp\nu^B^2\nu^A^1\n", {"separator": "^"}),
        ("user_id item_id timestamp\nu B 2\nu A 1\n", {"separator": "space"}),
        ("'user_id','item_id','timestamp'\n'u','B','2'\n'u','A','1'\n", {"quote": "'"}),
    ],
)
def test_tables_with_and_without_names(run: Run, tmp_path: Path, text: str, options: dict[str, Any]) -> None:
    path = tmp_path / "log.csv"
    path.write_text(text)
    assert run(path, k_core=0, **options).users == {"u": ["A", "B"]}


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("ratings_Beauty.csv", "u{0},i{0},5.0,{1}"),
        ("Beauty.csv", "B00000000{0},A1234567890{0},5.0,{1}"),
        ("any.csv.gz.csv", "A1234567890{0},B00000000{0},4.0,{1}"),
    ],
)
def test_ratings_of_amazon_have_no_header(run: Run, tmp_path: Path, name: str, line: str) -> None:
    path = tmp_path / name
    path.write_text("".join(line.format(n, 1_400_000_000 + n) + "\n" for n in range(9)))
    made = run(path, k_core=0)
    assert (made.facts["users"], made.facts["interactions"]) == (9, 9)
    assert all(user.startswith(("u", "A")) for user in made.users)


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("u,B,2\nu,A,1\n", {}, "the first line is a row, not a header: 'u', 'B', '2'\n.*--columns"),
        (
            "u1,i1,5.0,1400000000\nu2,i2,4.0,1400000001\n",
            {"user_column": "u1", "item_column": "i1", "time_column": "1400000000"},
            "the first line is a row",
        ),
        ("u,2024-05-31\nv,2024-06-01\n", {}, "the first line is a row"),
        ("u,B\nu,A\n", {}, "there is no column 'user_id'; there are 'u', 'B'\n.*--columns if the file has no header"),
        ("u,B,2\n", {"columns": ["user_id", "item_id"]}, "the first line has 3 fields, --columns names 2"),
        ("user_id^item_id\nu^A\n", {}, "there is no column 'user_id'.*\n.*--separator"),
    ],
)
def test_headers_that_are_none(run: Run, tmp_path: Path, text: str, options: dict[str, Any], message: str) -> None:
    path = tmp_path / "log.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        run(path, k_core=0, **options)


def test_metadata_has_options_of_its_own(run: Run, tmp_path: Path) -> None:
    log, items = tmp_path / "log.csv", tmp_path / "items.txt"
    log.write_text("user_id,item_id\nu,1\nu,2\n")
    items.write_text("1^saw 6'\n2^'a^b'\n")
    options = {"items_separator": "^", "items_quote": "'", "items_columns": ["item_id", "title"], "k_core": 0}
    made = run(log, items=[items], **options)
    assert made.items == {"1": {"title": "saw 6'"}, "2": {"title": "a^b"}}
