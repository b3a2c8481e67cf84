"""A catalogue that grows keeps the numbers that its items have."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from stages.artifacts.errors import DataError
from stages.artifacts.items import items_schema
from stages.artifacts.names import HISTORIES, ITEMS, SEQUENCES
from stages.artifacts.tables import read_table
from stages.preprocess import PreprocessOptions, preprocess

Write = Callable[..., Path]
HEADER = "user_id,item_id,timestamp"
FILES = (ITEMS, SEQUENCES, HISTORIES)


def log(write: Write, items: str, name: str = "log.csv") -> Path:
    return write(name, [HEADER, *(f"u{user},{item},{n}" for user in range(3) for n, item in enumerate(items))])


def texts(write: Write, items: str, word: str, name: str = "items.jsonl", **more: Any) -> Path:
    return write(name, [{"item_id": item, "title": f"{word} {item}", **more} for item in items])


def made(workdir: Path, *inputs: Path, **options: Any) -> Any:
    options = {"k_core": 0, **options}
    force = options.pop("force", False)
    return preprocess(PreprocessOptions(inputs, **options), workdir=workdir, force=force)


def catalogue(workdir: Path) -> dict[str, dict[str, Any]]:
    rows = read_table(workdir / ITEMS).to_pylist()
    assert [row.pop("item") for row in rows] == list(range(1, len(rows) + 1))
    return {row.pop("item_id"): row for row in rows}


@pytest.fixture
def yesterday(write: Write, tmp_path: Path) -> Path:
    workdir = tmp_path / "yesterday"
    made(workdir, log(write, "dbf", "old.csv"), items=[texts(write, "bdf", "old", "old.jsonl")])
    assert list(catalogue(workdir)) == ["b", "d", "f"]
    return workdir


def test_new_items_come_after_and_nothing_moves(write: Write, yesterday: Path, tmp_path: Path) -> None:
    result = made(tmp_path / "w", log(write, "fedab"), items=[texts(write, "abde", "new")], extend=yesterday)
    # f is in the log but no longer described; what was known of it stays.
    assert catalogue(tmp_path / "w") == {
        "b": {"title": "new b"},
        "d": {"title": "new d"},
        "f": {"title": "old f"},
        "a": {"title": "new a"},
        "e": {"title": "new e"},
    }
    assert result.facts["extended"] == {"before": 3, "kept": 3, "vanished": 0, "new": 2}
    assert result.facts["items_without_metadata"] == 0
    assert read_table(tmp_path / "w" / SEQUENCES)["items"][0].as_py() == [3, 5, 2, 4, 1]
    assert read_table(tmp_path / "w" / HISTORIES)["items"][0].as_py() == [3, 5, 2, 4, 1]


def test_items_that_vanish_keep_their_numbers_and_texts(write: Write, yesterday: Path, tmp_path: Path) -> None:
    result = made(tmp_path / "w", log(write, "aed"), items=[texts(write, "abcd", "new")], extend=yesterday)
    assert catalogue(tmp_path / "w") == {
        "b": {"title": "new b"},  # no longer taken, still described
        "d": {"title": "new d"},
        "f": {"title": "old f"},
        "a": {"title": "new a"},
        "e": {"title": None},
    }
    assert result.facts["extended"] == {"before": 3, "kept": 1, "vanished": 2, "new": 2}
    assert result.facts["items_without_metadata"] == 1
    assert any("1 of 5 items have no metadata" in warning for warning in result.warnings)


def test_described_items_that_nobody_has_taken(write: Write, yesterday: Path, tmp_path: Path) -> None:
    given = {"items": [texts(write, "acf", "new")], "extend": yesterday, "keep_cold_items": True}
    result = made(tmp_path / "w", log(write, "db"), **given)
    assert list(catalogue(tmp_path / "w")) == ["b", "d", "f", "a", "c"]
    assert result.facts["extended"] == {"before": 3, "kept": 3, "vanished": 0, "new": 2}
    assert result.facts["cold_items"] == 3


def test_a_log_alone_keeps_the_texts(write: Write, yesterday: Path, tmp_path: Path) -> None:
    made(tmp_path / "w", log(write, "ab"), extend=yesterday)
    found = catalogue(tmp_path / "w")
    assert {item: row["title"] for item, row in found.items()} == {"b": "old b", "d": "old d", "f": "old f", "a": None}


def test_views_that_are_not_chosen_any_more_are_told(write: Write, yesterday: Path, tmp_path: Path) -> None:
    new = texts(write, "abdf", "new", brand="x")
    result = made(tmp_path / "w", log(write, "ab"), items=[new], views=["brand"], extend=yesterday)
    assert set(catalogue(tmp_path / "w")["a"]) == {"brand"}
    assert any("also has 'title'" in warning for warning in result.warnings)


def test_in_place_a_repeated_command_has_nothing_to_do(write: Write, yesterday: Path) -> None:
    inputs, given = log(write, "fedab"), {"items": [texts(write, "abde", "new")], "extend": yesterday}
    first = made(yesterday, inputs, **given)
    before = {name: (yesterday / name).read_bytes() for name in FILES}
    again = made(yesterday, inputs, **given)
    assert again.skipped and again.facts == first.facts
    # Ended between its files, or forced, it makes the same bytes.
    (yesterday / SEQUENCES).unlink()
    assert not made(yesterday, inputs, **given).skipped
    assert not made(yesterday, inputs, force=True, **given).skipped
    assert {name: (yesterday / name).read_bytes() for name in FILES} == before


def test_in_place_night_after_night(write: Write, yesterday: Path) -> None:
    made(yesterday, log(write, "fedab", "two.csv"), extend=yesterday)
    result = made(yesterday, log(write, "fedabcg", "three.csv"), extend=yesterday)
    assert list(catalogue(yesterday)) == ["b", "d", "f", "a", "e", "c", "g"]
    assert result.facts["extended"] == {"before": 5, "kept": 5, "vanished": 0, "new": 2}
    assert made(yesterday, log(write, "fedabcg", "three.csv"), extend=yesterday).skipped


def test_another_catalogue_makes_it_stale(write: Write, yesterday: Path, tmp_path: Path) -> None:
    inputs = log(write, "fedab")
    made(tmp_path / "w", inputs, extend=yesterday)
    assert made(tmp_path / "w", inputs, extend=yesterday).skipped
    made(yesterday, log(write, "zdbf", "other.csv"), extend=yesterday)
    assert not made(tmp_path / "w", inputs, extend=yesterday).skipped
    assert list(catalogue(tmp_path / "w")) == ["b", "d", "f", "z", "a", "e"]
    assert not made(tmp_path / "w", inputs).skipped
    assert list(catalogue(tmp_path / "w")) == ["a", "b", "d", "e", "f"]


def test_what_cannot_be_extended(write: Write, tmp_path: Path) -> None:
    inputs = log(write, "ab")
    with pytest.raises(DataError, match=r"items\.parquet does not exist"):
        made(tmp_path / "w", inputs, extend=tmp_path / "none")
    for ids, message in ((["a", "b", "a"], "has 'a' twice"), (["a", None], "row 2 is null")):
        table = pa.table({"item": pa.array(range(1, len(ids) + 1), pa.int32()), "item_id": ids})
        (tmp_path / "bad").mkdir(exist_ok=True)
        pa.parquet.write_table(table, tmp_path / "bad" / ITEMS)
        with pytest.raises(DataError, match=message):
            made(tmp_path / "w", inputs, extend=tmp_path / "bad")


def test_a_catalogue_of_another_tool(write: Write, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    columns = {"item": pa.array([1, 2], pa.int64()), "item_id": pa.array(["x", "a"]).dictionary_encode()}
    titles = pa.array(["an x", None], pa.large_string())
    pa.parquet.write_table(pa.table({**columns, "title": titles}), tmp_path / "theirs" / ITEMS)
    made(tmp_path / "w", log(write, "ba"), items=[texts(write, "b", "new")], extend=tmp_path / "theirs")
    assert {item: row["title"] for item, row in catalogue(tmp_path / "w").items()} == {
        "x": "an x",
        "a": None,
        "b": "new b",
    }
    assert read_table(tmp_path / "w" / ITEMS).schema.remove_metadata() == items_schema(["title"])
