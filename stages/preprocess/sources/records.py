"""One record per line: JSON objects, and the Python dictionaries of Amazon Reviews 2014."""

import ast
import json
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

HALF = "\0"
"""Stands for half of a character outside of the basic plane, as a text has it that was cut within an emoji; the engine
puts it there itself. It is a blank in texts, and no part of an id."""

_HALVES = re.compile("[\ud800-\udfff]")
MALFORMED = (ValueError, SyntaxError, RecursionError, MemoryError)
"""What parsing a malformed record raises."""


class _NoObjectError(ValueError):
    pass


def parse_json(line: str | bytes) -> dict[str, Any]:
    """Parse a JSON object.

    Raises:
        ValueError: when the line is something else.
    """
    # Bytes would be taken for UTF-16, or with half an emoji in them, where the engine takes neither.
    record = json.loads(line.decode("utf-8") if isinstance(line, bytes) else line)
    if not isinstance(record, dict):
        raise _NoObjectError("is not a JSON object")
    return record


def parse_python(line: str | bytes) -> dict[str, Any]:
    """Parse a dictionary of Python literals; nothing in it is ever executed.

    Raises:
        ValueError, SyntaxError, RecursionError, MemoryError: when the line is something else.
    """
    text = line.decode() if isinstance(line, bytes) else line
    record = ast.literal_eval(text.strip())
    if not isinstance(record, dict):
        raise ValueError("it is not a dictionary")
    return record


PARSERS: dict[str, Callable[[str | bytes], dict[str, Any]]] = {"jsonl": parse_json, "python": parse_python}
"""By the kind of a :class:`~stages.preprocess.sources.sample.Sample`."""


def problem_with(kind: str, error: BaseException) -> str:
    """What to say of a line of a file of this kind whose parsing raised ``error``."""
    if kind == "python":
        return "is not a dictionary of Python literals"
    if isinstance(error, UnicodeDecodeError):
        return f"is not UTF-8 ({error.reason} {error.object[error.start : error.start + 1]!r})"
    return str(error) if isinstance(error, _NoObjectError) else f"is not JSON: {error}"


def python_to_json(lines: pl.Series) -> pl.Series:
    """Lines of Python dictionaries as lines of JSON."""
    try:
        return pl.Series(lines.name, [plain_json(parse_python(line)) for line in lines.to_list()], pl.String)
    except (*MALFORMED, TypeError) as error:
        raise pl.exceptions.ComputeError(f"a line is no record: {error}") from error


def take_fields(lines: pl.Series, columns: Sequence[str]) -> pl.Series:
    """Some fields of lines of JSON as strings, other values as their JSON text."""
    rows = []
    try:
        for line in lines.to_list():
            record = parse_json(line)
            rows.append({column: _as_string(record.get(column)) for column in columns})
    except MALFORMED as error:
        raise pl.exceptions.ComputeError(f"a line is no record: {error}") from error
    return pl.Series(lines.name, rows, struct_of(columns))


def struct_of(columns: Sequence[str]) -> pl.Struct:
    """The type of :func:`take_fields`."""
    return pl.Struct(dict.fromkeys(columns, pl.String))


def plain_json(record: dict[str, Any]) -> str:
    """A record as JSON that any parser takes: what is no number is null, half a character is :data:`HALF`."""
    try:
        text = json.dumps(record, allow_nan=False, skipkeys=True)
    except (ValueError, TypeError):
        text = json.dumps(_plain(record), skipkeys=True, default=str)
    return json.dumps(json.loads(text, object_hook=_whole), skipkeys=True) if "\\ud" in text else text


def whole_text(text: str) -> str:
    """A text without halves of characters outside of the basic plane, as texts have them that were cut."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _whole(record: dict[str, Any]) -> dict[str, Any]:
    return {_marked(key): _whole_value(value) for key, value in record.items()}


def _whole_value(value: Any) -> Any:
    if isinstance(value, list):
        return [_whole_value(part) for part in value]
    return _marked(value) if isinstance(value, str) else value


def _marked(text: str) -> str:
    """A text with :data:`HALF` for each half of a character; halves that belong together are put together."""
    if text.isascii():
        return text
    return _HALVES.sub(HALF, text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass"))


def _plain(value: Any) -> Any:
    """A value without numbers that JSON has not."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(part) for part in value]
    return value


def _as_string(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value if value is None else _marked(value)
    value = _plain(value)
    return None if value is None else json.dumps(value, default=str)
