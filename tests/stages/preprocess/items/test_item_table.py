"""Which rows of the item metadata are read, and what is said of the others."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from amazon_files import META, review

from stages.artifacts.errors import DataError

Write = Callable[..., Path]
Run = Callable[..., Any]


def test_items_without_metadata_are_kept_and_counted(run: Run, reviews: Path, write: Write) -> None:
    made = run(reviews, items=[write("meta.jsonl", META[:1])], k_core=0)
    assert list(made.items) == list("ABCD")
    assert made.items["D"] == dict.fromkeys(("title", "brand", "features", "categories", "description"))
    assert made.facts["items_without_metadata"] == 3
    assert any("3 of 4 items have no metadata" in warning for warning in made.warnings)


def test_metadata_rows_after_the_filter_are_not_counted_as_items(run: Run, write: Write) -> None:
    rows = [review(f"u{u}", f"i{i}", i) for u in range(5) for i in range(5)] + [review("u0", "rare", 9)]
    meta = [{"parent_asin": f"i{i}", "title": f"t{i}", "store": "s"} for i in range(5)]
    meta.append({"parent_asin": "rare", "title": "r", "store": "s"})
    made = run(write("r.jsonl", rows), items=[write("m.jsonl", meta)])
    assert len(made.items) == 5
    assert made.facts["metadata_rows_of_other_items"] == 1


def test_metadata_of_none_of_the_items_is_refused(run: Run, reviews: Path, write: Write) -> None:
    with pytest.raises(DataError, match="none of the 1 rows describes an item"):
        run(reviews, items=[write("m.jsonl", [{"parent_asin": "Q", "title": "q", "store": "s"}])], k_core=0)


HEADER = b"user_id,item_id,timestamp\n"


def csv(*rows: object, header: bytes = HEADER) -> bytes:
    return header + b"".join(f"{row}\n".encode() for row in rows)


def jsonl(*rows: Any) -> bytes:
    return b"".join((row if isinstance(row, str) else json.dumps(row)).encode() + b"\n" for row in rows)


LONG = "x" * 10_000_000
LOG = csv("u,A,1", "u,B,2", "u,C,3", "u,D,4")
CASES = {
    "item without metadata": (jsonl({"item_id": "A", "name": "a"}), {"A": "a", "B": None, "C": None, "D": None}, 3, 0),
    "same item again": (
        jsonl(*({"item_id": "A", "name": name} for name in ("first", "second"))),
        {"A": "first", "B": None, "C": None, "D": None},
        3,
        1,
    ),
    "items without interactions": (
        jsonl(*({"item_id": item, "name": item.lower()} for item in "ABCDEF")),
        {item: item.lower() for item in "ABCD"},
        0,
        0,
        2,
    ),
    "null ids": (
        jsonl({"item_id": None, "name": "x"}, {"name": "y"}, {"item_id": "B", "name": "b"}),
        {"A": None, "B": "b", "C": None, "D": None},
        3,
        0,
    ),
    "text of 10 MB": (jsonl({"item_id": "A", "name": LONG}), {"A": LONG, "B": None, "C": None, "D": None}, 3, 0),
    "texts of other types": (
        jsonl(*({"item_id": i, "name": v} for i, v in zip("ABCD", (1, 2.5, ["x", None], {"k": 1}), strict=True))),
        {"A": "1", "B": "2.5", "C": "x", "D": "k: 1"},
        0,
        0,
    ),
    "empty texts": (
        jsonl(*({"item_id": i, "name": v} for i, v in zip("ABCD", ("", " \t", "<br>", "x"), strict=True))),
        {"A": None, "B": None, "C": None, "D": "x"},
        0,
        0,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_metadata(run: Run, tmp_path: Path, case: str) -> None:
    data, texts, missing, repeated, *unused = CASES[case]
    log, meta = tmp_path / "log.csv", tmp_path / "meta.jsonl"
    log.write_bytes(LOG)
    meta.write_bytes(data)
    made = run(log, items=[meta], k_core=0, views=["name"])
    assert {item: row["name"] for item, row in made.items.items()} == texts
    assert (made.facts["items_without_metadata"], made.facts["metadata_rows_repeated"]) == (missing, repeated)
    if unused:
        assert made.facts["metadata_rows_of_other_items"] == unused[0]
