"""Bounds in time, the k-core by default, a sample of users."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reasons import counts_dropped

from stages.artifacts.errors import DataError, UsageError

Write = Callable[..., Path]
Run = Callable[..., Any]
DAY = 86_400
START = 1_600_000_000  # 2020-09-13T12:26:40Z
HEADER = "user_id,item_id,timestamp"
# Items by day: u lives through all parts, v ends in training, w comes in validation, x in test.
DAYS = {"u": {0: "a", 1: "b", 10: "c", 11: "d", 20: "e", 21: "f"}, "v": {2: "a", 3: "c"}, "w": {12: "b", 22: "g"}}
DAYS["x"] = {23: "h", 24: "a"}


@pytest.fixture
def log(write: Write) -> Path:
    rows = [f"{user},{item},{START + day * DAY}" for user, days in DAYS.items() for day, item in days.items()]
    return write("log.csv", [HEADER, *rows[::-1]])


def publish(write: Write, history: bool = True) -> Path:
    header = "user_id,parent_asin,rating,timestamp" + (",history" if history else "")
    for part, positions in (("valid", [3]), ("test", [4]), ("train", [0, 1, 2])):
        rows = [
            f"u,{'abcde'[n]},5,{START + n * DAY}" + (f",{' '.join('abcde'[:n])}" if history else "") for n in positions
        ]
        path = write(f"T.{part}.csv", [header, *rows])
    return path


def test_since_and_until(run: Run, log: Path) -> None:
    made = run(log, k_core=0, since=START + DAY, until="2020-09-23T12:26:40Z")
    assert made.users == {"u": ["b"], "v": ["a", "c"]}
    assert counts_dropped(made.facts) == {
        f"interactions outside --since {START + DAY}": 1,
        "interactions outside --until 2020-09-23T12:26:40Z": 8,
    }


def test_bounds_need_times_and_no_published_split(run: Run, log: Path, write: Write) -> None:
    with pytest.raises(UsageError, match="--since cannot be used with a published split"):
        run(publish(write), since=START)
    with pytest.raises(UsageError, match="--until needs a log with times"):
        run(write("bare.csv", ["user_id,item_id", "u,a"]), until=5)
    with pytest.raises(DataError, match="no interaction is left"):
        run(log, since="2030-01-01")


def test_sample_of_users(run: Run, write: Write) -> None:
    rows = [f"u{user:02},i{(user + n) % 9},{n}" for user in range(50) for n in range(5)]
    whole, path = {}, write("log.csv", [HEADER, *rows])
    whole = run(path).users
    drawn = [run(path, sample_users=10, seed=seed) for seed in (0, 0, 1)]
    assert [len(made.users) for made in drawn] == [10, 10, 10]
    assert drawn[0].users == drawn[1].users != drawn[2].users
    assert all(whole[user] == items for made in drawn for user, items in made.users.items())
    assert counts_dropped(drawn[0].facts) == {"interactions of users outside the sample": 200}
    assert run(path, sample_users=500).users == whole
    shuffled = write("other.csv", [HEADER, *np.random.default_rng(0).permutation(rows).tolist()])
    assert run(shuffled, sample_users=10).users == drawn[0].users


def review(user: str, item: str, time: Any, **more: Any) -> dict[str, Any]:
    return {"rating": 5.0, "title": "ok", "text": "fine", "asin": "X" + item, "parent_asin": item, "user_id": user} | {
        "timestamp": time,
        "helpful_vote": 0,
        "verified_purchase": True,
        **more,
    }


def test_k_core_is_five_by_default_and_reported(run: Run, write: Write) -> None:
    rows = [review(f"u{u}", f"i{i}", i) for u in range(5) for i in range(5)]
    rows += [review("u0", "rare", 9), review("short", "i0", 1)]
    made = run(write("r.jsonl", rows))
    assert set(made.users) == {f"u{u}" for u in range(5)}
    assert "rare" not in made.items
    assert made.facts["k_core"] == 5
    assert counts_dropped(made.facts) == {"interactions outside the 5-core": 2}
    assert made.facts["outside_k_core"] == {"users": 1, "items": 1}
    assert not any("5-core" in warning for warning in made.warnings)


def test_a_k_core_that_leaves_out_most_users_is_warned_of(run: Run, write: Write) -> None:
    rows = [f"u{u},i{i},{i}" for u in range(5) for i in range(5)] + [f"short{n},i0,1" for n in range(6)]
    made = run(write("log.csv", [HEADER, *rows]))
    assert made.facts["outside_k_core"] == {"users": 6, "items": 0}
    assert any(
        "the 5-core leaves out 6 of 11 users and 0 of 5 items; a lower --k-core" in told for told in made.warnings
    )
    assert "outside_k_core" not in run(write("log.csv", [HEADER, *rows]), k_core=0).facts
