"""Leave-one-out, and the replacement of a published split."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stages.artifacts.errors import UsageError

Write = Callable[..., Path]
Run = Callable[..., Any]
DAY = 86_400
START = 1_600_000_000  # 2020-09-13T12:26:40Z


def publish(write: Write, history: bool = True) -> Path:
    header = "user_id,parent_asin,rating,timestamp" + (",history" if history else "")
    for part, positions in (("valid", [3]), ("test", [4]), ("train", [0, 1, 2])):
        rows = [
            f"u,{'abcde'[n]},5,{START + n * DAY}" + (f",{' '.join('abcde'[:n])}" if history else "") for n in positions
        ]
        path = write(f"T.{part}.csv", [header, *rows])
    return path


@pytest.mark.parametrize("history", [True, False])
def test_a_published_split_can_be_replaced(run: Run, write: Write, history: bool) -> None:
    train = publish(write, history)
    assert run(train).facts["split"] == "published"
    made = run(train, split="leave-one-out")
    assert (made.facts["split"], made.facts["k_core"], made.parts["u"]) == ("leave-one-out", 0, (3, 4))
    made = run(train, split="temporal", targets="all", valid_from="2020-09-14", test_from="2020-09-16")
    assert (made.users["u"], made.parts["u"]) == (list("abcde"), (1, 3))


def test_a_published_split_without_all_times_cannot_be_temporal(run: Run, write: Write) -> None:
    train = publish(write)
    train.write_text("\n".join(line for line in train.read_text().splitlines() if not line.startswith("u,a")) + "\n")
    with pytest.raises(UsageError, match="1 of 5 have none"):
        run(train, split="temporal")
    assert run(train, split="leave-one-out").users["u"] == list("abcde")


def test_last_is_test_and_last_but_one_validation(run: Run, reviews: Path) -> None:
    made = run(reviews, k_core=0)
    assert made.parts == {"u1": (2, 3), "u2": (2, 3), "u3": (2, 2)}
    assert made.facts["split"] == "leave-one-out"
    assert made.facts["users_for_training_only"] == 1
    assert [made.facts[f"{part}_interactions"] for part in ("train", "valid", "test")] == [6, 2, 2]
