"""Python dictionaries, one a line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stages.artifacts.errors import DataError

Write = Callable[..., Path]
Run = Callable[..., Any]
TIME = 1_400_000_000


def old_review(user: str, item: str, time: int, **more: Any) -> dict[str, Any]:
    review = {"reviewerID": user, "asin": item, "overall": 5.0, "unixReviewTime": TIME + time, "reviewText": "it's ok"}
    return {**review, "summary": 'a "b"', "reviewTime": "05 13, 2014", **more}


def test_nothing_in_a_python_line_is_executed(run: Run, write: Write, tmp_path: Path) -> None:
    bait = tmp_path / "executed"
    evil = f"{{'reviewerID': __import__('pathlib').Path({str(bait)!r}).touch(), 'asin': 'A', 'unixReviewTime': 1}}"
    good = str(old_review("u", "A", 1))
    with pytest.raises(DataError, match=r"log\.json: line 151 is not a dictionary of Python"):
        run(write("log.json", [good] * 150 + [evil]), k_core=0, format="amazon-2014", force=True)
    with pytest.raises(DataError, match="record 1 is not JSON"):
        run(write("log.json", [evil, good]), k_core=0)
    assert not bait.exists()
