from pathlib import Path

import pytest

from stages.artifacts.errors import DataError
from stages.report.told import Told

FACTS = Told(Path("codes.parquet"), {"n": 3, "x": 0.5, "t": "a", "p": {"a": 1}, "r": [{"n": 1}], "l": ["a"], "b": True})


def test_what_is_told() -> None:
    assert (FACTS.count("n"), FACTS.number("x"), FACTS.number("n"), FACTS.text("t")) == (3, 0.5, 3, "a")
    assert FACTS.part("p").counts() == {"a": 1}
    assert [row.count("n") for row in FACTS.rows("r")] == [1]
    assert FACTS.texts("l") == ["a"]


def test_what_is_not_told() -> None:
    assert (FACTS.count("?"), FACTS.number("?"), FACTS.text("?")) == (None, None, None)
    assert (FACTS.part("?").values, FACTS.rows("?"), FACTS.texts("?")) == ({}, [], [])


@pytest.mark.parametrize(
    ("ask", "name"),
    [("count", "x"), ("count", "b"), ("number", "t"), ("text", "n"), ("part", "l"), ("rows", "l"), ("texts", "r")],
)
def test_another_type_is_refused(ask: str, name: str) -> None:
    with pytest.raises(DataError, match=rf"codes.parquet tells of '{name}' what no stage tells"):
        getattr(FACTS, ask)(name)


def test_counts_by_reason_in_both_forms() -> None:
    rows = [{"reason": "too short", "count": 3}, {"reason": "twice", "count": 1}]
    assert Told(FACTS.path, {"dropped": rows}).reasons("dropped") == {"too short": 3, "twice": 1}
    assert Told(FACTS.path, {"dropped": {"too short": 3}}).reasons("dropped") == {"too short": 3}
    assert FACTS.reasons("?") == {}
