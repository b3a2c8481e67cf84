"""One record per line: JSON objects, and the Python dictionaries of Amazon Reviews 2014."""

import ast
import json
from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

MALFORMED = (ValueError, SyntaxError, RecursionError, MemoryError)
"""What parsing a malformed record raises."""


class _NoObjectError(ValueError):
    pass


def parse_json(line: str | bytes) -> dict[str, Any]:
    """Parse a JSON object.

    Raises:
        ValueError: when the line is something else.
    """
    record = json.loads(line)
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
    return str(error) if isinstance(error, _NoObjectError) else f"is not JSON: {error}"


def python_to_json(lines: pl.Series) -> pl.Series:
    """Lines of Python dictionaries as lines of JSON."""
    try:
        return pl.Series(lines.name, [json.dumps(parse_python(line)) for line in lines.to_list()], pl.String)
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


def _as_string(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)
