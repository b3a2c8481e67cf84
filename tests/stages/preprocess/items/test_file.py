"""items.parquet."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

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


def test_view_that_no_item_has_is_left_out_and_said(run: Run, reviews: Path, write: Write) -> None:
    made = run(reviews, items=[write("meta.jsonl", [{**META[0], "features": [], "description": None}])], k_core=0)
    assert list(made.facts["views"]) == ["title", "brand", "categories"]
    assert made.facts["views_left_out"] == ["features", "description"]
    assert any("'features'" in warning for warning in made.warnings)
