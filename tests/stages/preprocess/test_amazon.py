"""Raw reviews and metadata in the shape of Amazon Reviews 2023."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stages.artifacts.errors import DataError, UsageError

Write = Callable[..., Path]
Run = Callable[..., Any]


def review(user: str, item: str, time: Any, **more: Any) -> dict[str, Any]:
    return {"rating": 5.0, "title": "ok", "text": "fine", "asin": "X" + item, "parent_asin": item, "user_id": user} | {
        "timestamp": time,
        "helpful_vote": 0,
        "verified_purchase": True,
        **more,
    }


@pytest.fixture
def reviews(write: Write) -> Path:
    """Users u1 and u2 with four items each, u3 with two, in no order of time."""
    rows = [review("u1", item, 1_600_000_000_000 + time) for item, time in zip("DBAC", (4, 2, 1, 3), strict=True)]
    rows += [review("u2", item, 1_600_000_000_000) for item in "CADB"]  # at the same time
    rows += [review("u3", "A", 5), review("u3", "B", 6)]
    return write("Tools.jsonl.gz", rows)


META: list[dict[str, Any]] = [
    {
        "parent_asin": "A",
        "main_category": "Tools",
        "title": "Saw &amp; blade <b>set</b>",
        "average_rating": 4.5,
        "features": ["Steel.", "Black &quot;matt&quot;"],
        "description": ["<p>First</p><p>second</p>", "third"],
        "price": "12.99",
        "store": "Store A",
        "categories": ["Tools", "Saws"],
        "details": {"Brand": "Acme\n<br>Tools", "Item Weight": "1 Pound", "Best Sellers Rank": {"Tools": 5}},
    },
    {
        "parent_asin": "B",
        "title": 5,
        "features": "one text",
        "description": [],
        "price": 7.5,
        "store": "Store B",
        "categories": [["Tools"], ["Garden"]],
        "details": {"Manufacturer": "B Corp"},
    },
    {"parent_asin": "B", "title": "again"},
    {"parent_asin": "Z", "title": "nobody bought this"},
    {"parent_asin": "C", "title": 'back\\slash "quoted" \u0007 [x', "details": None, "store": None, "features": None},
    {"parent_asin": "D", "title": "  ", "details": '{"Brand": "D brand"}'},
]


def test_histories_are_ordered_by_time_then_by_file(run: Run, reviews: Path) -> None:
    made = run(reviews, k_core=0)
    assert made.users == {"u1": list("ABCD"), "u2": list("CADB"), "u3": list("AB")}
    assert made.times["u1"] == [1_600_000_000_000 + i for i in (1, 2, 3, 4)]
    assert made.times["u2"] == [1_600_000_000_000] * 4
    assert made.facts["format"] == "amazon-2023"


def test_last_is_test_and_last_but_one_validation(run: Run, reviews: Path) -> None:
    made = run(reviews, k_core=0)
    assert made.parts == {"u1": (2, 3), "u2": (2, 3), "u3": (2, 2)}
    assert made.facts["split"] == "leave-one-out"
    assert made.facts["users_for_training_only"] == 1
    assert [made.facts[f"{part}_interactions"] for part in ("train", "valid", "test")] == [6, 2, 2]


def test_metadata_of_every_odd_shape(run: Run, reviews: Path, write: Write) -> None:
    made = run(reviews, items=[write("meta_Tools.jsonl.gz", META)], k_core=0)
    assert list(made.items["A"]) == ["title", "brand", "features", "categories", "description"]
    assert made.items == {
        "A": {
            "title": "Saw & blade set",
            "brand": "Acme Tools",
            "features": 'Steel. Black "matt"',
            "categories": "Tools, Saws",
            "description": "First second, third",
        },
        "B": {
            "title": "5",
            "brand": "Store B",
            "features": "one text",
            "categories": "Tools, Garden",
            "description": None,
        },
        "C": {
            "title": 'back\\slash "quoted" [x',
            "brand": None,
            "features": None,
            "categories": None,
            "description": None,
        },
        "D": {"title": None, "brand": "D brand", "features": None, "categories": None, "description": None},
    }
    facts = made.facts
    assert facts["views"] == {"title": 0.75, "brand": 0.75, "features": 0.5, "categories": 0.5, "description": 0.25}
    assert facts["metadata_rows_of_other_items"] == 1
    assert facts["metadata_rows_repeated"] == 1
    assert facts["items_without_metadata"] == 0


def test_the_manufacturer_is_the_last_resort_for_the_brand(run: Run, reviews: Path, write: Write) -> None:
    meta = [
        {"parent_asin": "A", "title": "a", "store": "", "details": {"Manufacturer": "Maker"}},
        {"parent_asin": "B", "title": "b", "store": "Shop", "details": {"Manufacturer": "Maker"}},
        {"parent_asin": "C", "title": "c", "store": "Shop", "details": {"Brand Name": "Name", "Manufacturer": "M"}},
    ]
    items = run(reviews, items=[write("meta.jsonl", meta)], k_core=0).items
    assert [items[i]["brand"] for i in "ABCD"] == ["Maker", "Shop", "Name", None]


def test_items_without_metadata_are_kept_and_counted(run: Run, reviews: Path, write: Write) -> None:
    made = run(reviews, items=[write("meta.jsonl", META[:1])], k_core=0)
    assert list(made.items) == list("ABCD")
    assert made.items["D"] == dict.fromkeys(("title", "brand", "features", "categories", "description"))
    assert made.facts["items_without_metadata"] == 3
    assert any("3 of 4 items have no metadata" in warning for warning in made.warnings)


def test_view_that_no_item_has_is_left_out_and_said(run: Run, reviews: Path, write: Write) -> None:
    made = run(reviews, items=[write("meta.jsonl", [{**META[0], "features": [], "description": None}])], k_core=0)
    assert list(made.facts["views"]) == ["title", "brand", "categories"]
    assert made.facts["views_left_out"] == ["features", "description"]
    assert any("'features'" in warning for warning in made.warnings)


def test_views_are_chosen_and_other_fields_can_be_views(run: Run, reviews: Path, write: Write) -> None:
    meta = write("meta.jsonl", META)
    made = run(reviews, items=[meta], views=["store", "title", "details"], k_core=0)
    assert made.items["A"] == {
        "store": "Store A",
        "title": "Saw & blade set",
        "details": "Brand: Acme Tools, Item Weight: 1 Pound, Best Sellers Rank: Tools: 5",
    }
    with pytest.raises(UsageError, match=r"no view 'titel'[\s\S]*title, brand, features"):
        run(reviews, items=[meta], views=["titel"], k_core=0)


def test_repeated_rows_count_once(run: Run, write: Write) -> None:
    rows = [review("u", "A", 1), review("u", "B", 2), review("u", "A", 1), review("u", "A", 3), review("u", "B", 2)]
    made = run(write("r.jsonl", rows), k_core=0)
    assert made.users == {"u": ["A", "B", "A"]}
    assert made.facts["dropped"] == {"repeated rows (user, item and time)": 2}


def test_the_first_of_repeated_rows_stays_in_its_place(run: Run, write: Write) -> None:
    rows = [review("u", item, 1) for item in "ABACB"]
    assert run(write("r.jsonl", rows), k_core=0).users == {"u": ["A", "B", "C"]}


def test_k_core_is_five_by_default_and_reported(run: Run, write: Write) -> None:
    rows = [review(f"u{u}", f"i{i}", i) for u in range(5) for i in range(5)]
    rows += [review("u0", "rare", 9), review("short", "i0", 1)]
    made = run(write("r.jsonl", rows))
    assert set(made.users) == {f"u{u}" for u in range(5)}
    assert "rare" not in made.items
    assert made.facts["k_core"] == 5
    assert made.facts["dropped"] == {"interactions outside the 5-core": 2}


def test_metadata_rows_after_the_filter_are_not_counted_as_items(run: Run, write: Write) -> None:
    rows = [review(f"u{u}", f"i{i}", i) for u in range(5) for i in range(5)] + [review("u0", "rare", 9)]
    meta = [{"parent_asin": f"i{i}", "title": f"t{i}", "store": "s"} for i in range(5)]
    meta.append({"parent_asin": "rare", "title": "r", "store": "s"})
    made = run(write("r.jsonl", rows), items=[write("m.jsonl", meta)])
    assert len(made.items) == 5
    assert made.facts["metadata_rows_of_other_items"] == 1


def test_rating_filter(run: Run, write: Write) -> None:
    rows = [review("u", "A", 1, rating=5), review("u", "B", 2, rating=3.5), review("u", "C", 3, rating=None)]
    rows.append(review("u", "D", 4, rating="4.0"))
    made = run(write("r.jsonl", rows), k_core=0, rating_min=4)
    assert made.users == {"u": ["A", "D"]}
    assert made.facts["dropped"] == {"rows rated below 4 or not rated": 2}


def test_ids_that_are_numbers_and_times_that_are_texts(run: Run, write: Write) -> None:
    rows = [review("u", "B", "1600000000001"), {**review("u", "A", 1.6e12), "parent_asin": 17}]
    made = run(write("r.jsonl", rows), k_core=0)
    assert made.users == {"u": ["17", "B"]}
    assert made.times == {"u": [1_600_000_000_000, 1_600_000_000_001]}


def test_rows_without_user_item_or_time_are_dropped_and_counted(run: Run, write: Write) -> None:
    whole = review("u", "A", 1)
    rows = [whole, {**whole, "user_id": None}, {**whole, "parent_asin": ""}, {**whole, "timestamp": None}]
    made = run(write("r.jsonl", rows), k_core=0)
    assert made.users == {"u": ["A"]}
    assert made.facts["dropped"] == {"rows without a user or an item": 2, "rows without a time": 1}
    assert any("2 rows without a user or an item" in warning for warning in made.warnings)


def test_several_files_and_members_are_read_in_order(run: Run, write: Write) -> None:
    first = write("a.jsonl.gz", [review("u", "A", 7), review("u", "B", 7)])
    first.write_bytes(first.read_bytes() + gzip.compress(json.dumps(review("u", "C", 7)).encode()))
    second = write("b.jsonl", [review("u", "D", 7)])
    assert run(first, second, k_core=0).users == {"u": list("ABCD")}
    assert run(second, first, k_core=0).users == {"u": list("DABC")}


def test_metadata_of_none_of_the_items_is_refused(run: Run, reviews: Path, write: Write) -> None:
    with pytest.raises(DataError, match="none of the 1 rows describes an item"):
        run(reviews, items=[write("m.jsonl", [{"parent_asin": "Q", "title": "q", "store": "s"}])], k_core=0)
