"""Malformed lines that are passed over."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stages.artifacts.errors import DataError

Run = Callable[..., Any]


def jsonl(*rows: Any) -> bytes:
    return b"".join((row if isinstance(row, str) else json.dumps(row)).encode() + b"\n" for row in rows)


def event(user: Any, item: Any, time: Any) -> dict[str, Any]:
    return {"user_id": user, "item_id": item, "timestamp": time}


TINY = [event("u", "A", 1), event("u", "B", 2)]


def test_malformed_lines_of_metadata(run: Run, tmp_path: Path) -> None:
    log, meta = tmp_path / "log.jsonl", tmp_path / "meta.jsonl"
    log.write_bytes(jsonl(*TINY, "{"))
    meta.write_bytes(jsonl({"item_id": "A", "name": "a"}, "{", {"item_id": "B", "name": "b"}))
    made = run(log, items=[meta], k_core=0, max_bad_rows=2)
    assert made.items == {"A": {"name": "a"}, "B": {"name": "b"}}
    assert made.facts["bad_rows"] == {"meta.jsonl": [2], "log.jsonl": [3]}
    again = run(log, items=[meta], k_core=0, max_bad_rows=2)  # up to date, and said again
    assert again.warnings == made.warnings
    with pytest.raises(DataError, match=r"log\.jsonl has too many malformed lines: 3 and"):
        run(log, items=[meta], k_core=0, max_bad_rows=1)
