"""JSON that any reader takes: no NaN and no Infinity, which Python writes though they are no JSON."""

import json
import math
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any


def json_text(value: Any, *, indent: int | None = None, ascii_only: bool = False) -> str:
    """A value as JSON in the order of its keys.

    Args:
        value: of mappings, lists, tuples, texts, numbers, and paths, which become texts.
        indent: blanks per level; ``None`` for one line.
        ascii_only: write other letters as escapes, for an output that has no such letters.

    Returns:
        The text; numbers that are not finite are null.
    """
    return json.dumps(_plain(value), indent=indent, ensure_ascii=ascii_only, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, PurePath):
        return str(value)
    if value is None or isinstance(value, str | bool | int):
        return value
    return [_plain(each) for each in value]
