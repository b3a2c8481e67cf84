"""Item metadata in the shape of Amazon Reviews 2023."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from amazon_files import META

from stages.artifacts.errors import UsageError

Write = Callable[..., Path]
Run = Callable[..., Any]


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
