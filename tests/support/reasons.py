"""What preprocess has dropped, as tests like to compare it."""

from collections.abc import Mapping
from typing import Any


def counts_dropped(facts: Mapping[str, Any]) -> dict[str, int]:
    """Counts by reason."""
    return {row["reason"]: row["count"] for row in facts["dropped"]}
