"""items.parquet."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from amazon_files import META

Write = Callable[..., Path]
Run = Callable[..., Any]


def test_view_that_no_item_has_is_left_out_and_said(run: Run, reviews: Path, write: Write) -> None:
    made = run(reviews, items=[write("meta.jsonl", [{**META[0], "features": [], "description": None}])], k_core=0)
    assert list(made.facts["views"]) == ["title", "brand", "categories"]
    assert made.facts["views_left_out"] == ["features", "description"]
    assert any("'features'" in warning for warning in made.warnings)
