"""From the rows of a log to interactions: repeated and incomplete rows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from reasons import counts_dropped

Write = Callable[..., Path]
Run = Callable[..., Any]


def review(user: str, item: str, time: Any, **more: Any) -> dict[str, Any]:
    return {"rating": 5.0, "title": "ok", "text": "fine", "asin": "X" + item, "parent_asin": item, "user_id": user} | {
        "timestamp": time,
        "helpful_vote": 0,
        "verified_purchase": True,
        **more,
    }


def test_repeated_rows_count_once(run: Run, write: Write) -> None:
    rows = [review("u", "A", 1), review("u", "B", 2), review("u", "A", 1), review("u", "A", 3), review("u", "B", 2)]
    made = run(write("r.jsonl", rows), k_core=0)
    assert made.users == {"u": ["A", "B", "A"]}
    assert counts_dropped(made.facts) == {"repeated rows (user, item and time)": 2}


def test_the_first_of_repeated_rows_stays_in_its_place(run: Run, write: Write) -> None:
    rows = [review("u", item, 1) for item in "ABACB"]
    assert run(write("r.jsonl", rows), k_core=0).users == {"u": ["A", "B", "C"]}


def test_rows_without_user_item_or_time_are_dropped_and_counted(run: Run, write: Write) -> None:
    whole = review("u", "A", 1)
    rows = [whole, {**whole, "user_id": None}, {**whole, "parent_asin": ""}, {**whole, "timestamp": None}]
    made = run(write("r.jsonl", rows), k_core=0)
    assert made.users == {"u": ["A"]}
    assert counts_dropped(made.facts) == {"rows without a user or an item": 2, "rows without a time": 1}
    assert any("2 rows without a user or an item" in warning for warning in made.warnings)
