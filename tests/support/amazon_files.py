"""Reviews and item metadata in the shape of Amazon Reviews 2023."""

from typing import Any


def review(user: str, item: str, time: Any, **more: Any) -> dict[str, Any]:
    return {"rating": 5.0, "title": "ok", "text": "fine", "asin": "X" + item, "parent_asin": item, "user_id": user} | {
        "timestamp": time,
        "helpful_vote": 0,
        "verified_purchase": True,
        **more,
    }


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
