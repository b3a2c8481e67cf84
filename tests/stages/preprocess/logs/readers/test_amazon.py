"""Reviews and ratings in the shapes of Amazon Reviews 2014, 2018 and 2023."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from amazon_files import review
from events import EVENTS, EXPECTED, TIME
from reasons import counts_dropped

Write = Callable[..., Path]
Run = Callable[..., Any]


def test_histories_are_ordered_by_time_then_by_file(run: Run, reviews: Path) -> None:
    made = run(reviews, k_core=0)
    assert made.users == {"u1": list("ABCD"), "u2": list("CADB"), "u3": list("AB")}
    assert made.times["u1"] == [1_600_000_000_000 + i for i in (1, 2, 3, 4)]
    assert made.times["u2"] == [1_600_000_000_000] * 4
    assert made.facts["format"] == "amazon-2023"


def test_rating_filter(run: Run, write: Write) -> None:
    rows = [review("u", "A", 1, rating=5), review("u", "B", 2, rating=3.5), review("u", "C", 3, rating=None)]
    rows.append(review("u", "D", 4, rating="4.0"))
    made = run(write("r.jsonl", rows), k_core=0, rating_min=4)
    assert made.users == {"u": ["A", "D"]}
    assert counts_dropped(made.facts) == {"rows rated below 4 or not rated": 2}


def test_ids_that_are_numbers_and_times_that_are_texts(run: Run, write: Write) -> None:
    rows = [review("u", "B", "1600000000001"), {**review("u", "A", 1.6e12), "parent_asin": 17}]
    made = run(write("r.jsonl", rows), k_core=0)
    assert made.users == {"u": ["17", "B"]}
    assert made.times == {"u": [1_600_000_000_000, 1_600_000_000_001]}


def test_several_files_and_members_are_read_in_order(run: Run, write: Write) -> None:
    first = write("a.jsonl.gz", [review("u", "A", 7), review("u", "B", 7)])
    first.write_bytes(first.read_bytes() + gzip.compress(json.dumps(review("u", "C", 7)).encode()))
    second = write("b.jsonl", [review("u", "D", 7)])
    assert run(first, second, k_core=0).users == {"u": list("ABCD")}
    assert run(second, first, k_core=0).users == {"u": list("DABC")}


def old_review(user: str, item: str, time: int, **more: Any) -> dict[str, Any]:
    review = {"reviewerID": user, "asin": item, "overall": 5.0, "unixReviewTime": TIME + time, "reviewText": "it's ok"}
    return {**review, "summary": 'a "b"', "reviewTime": "05 13, 2014", **more}


# A line of the published file of 2014: Python, with both kinds of quotes and an escape.
META_2014 = [
    r"""{'asin': 'A', 'title': "Tool\'s \"best\" \u00e9", 'price': 3.17, 'imUrl': 'http://x/a.jpg', 'brand': 'Acme', """
    r"""'related': {'also_bought': ['B']}, 'salesRank': {'Toys': 5}, 'categories': [['Tools', 'Saws'], ['Garden']]}""",
    """{'asin': 'B', 'imUrl': 'x', 'categories': [['Tools']], 'description': 'First.', 'title': None}""",
]
META_2018 = [
    {"asin": "A", "title": "Saw", "brand": "by\n    \n    Acme", "category": ["Tools", "Saws"], "feature": ["Sharp"]}
    | {"description": ["d"], "also_buy": ["B"], "rank": "5 in Tools", "main_cat": "Tools", "price": "$3"},
    {"asin": "B", "title": "Axe", "brand": "B", "category": [], "feature": [], "also_view": [], "main_cat": "Tools"},
]


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("python", [False, True], ids=["JSON", "Python"])
def test_amazon_2014(run: Run, write: Write, suffix: str, python: bool) -> None:
    reviews = [old_review(*event, helpful=[0, 1]) for event in EVENTS]
    log = write(f"reviews_Tools.json{suffix}", [str(row) for row in reviews] if python else reviews)
    made = run(log, items=[write(f"meta_Tools.json{suffix}", META_2014)], k_core=0)
    assert (made.facts["format"], made.facts["items_format"]) == ("amazon-2014", "amazon-2014")
    assert made.users == EXPECTED
    assert made.times["u"] == [TIME + 1, TIME + 2, TIME + 3]
    assert made.items == {
        "A": {"title": 'Tool\'s "best" é', "brand": "Acme", "categories": "Tools, Saws, Garden", "description": None},
        "B": {"title": None, "brand": None, "categories": "Tools", "description": "First."},
    }


def test_amazon_2018(run: Run, write: Write) -> None:
    rows = [old_review(*event, verified=True, overall=4 if event[2] == 2 else 5) for event in EVENTS]
    log, meta = write("Tools.json.gz", rows), write("meta_Tools.json.gz", META_2018)
    made = run(log, items=[meta], k_core=0)
    assert (made.facts["format"], made.facts["items_format"]) == ("amazon-2018", "amazon-2018")
    assert made.users == EXPECTED
    assert made.items["A"] == {
        "title": "Saw",
        "brand": "Acme",
        "features": "Sharp",
        "categories": "Tools, Saws",
        "description": "d",
    }
    assert run(log, k_core=0, rating_min=5).users == {"u": ["A", "A"], "v": ["B"]}


def test_amazon_2023_ratings(run: Run, write: Write) -> None:
    rows = [f"{user},{item},5.0,{TIME + time}" for user, item, time in EVENTS]
    made = run(write("Tools.csv.gz", ["user_id,parent_asin,rating,timestamp", *rows]), k_core=0)
    assert made.facts["format"] == "amazon-2023-ratings"
    assert made.users == EXPECTED
