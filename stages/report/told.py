"""What a file says of itself, which may be anything: read by name and type, or refused."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stages.artifacts.errors import DataError
from stages.artifacts.pipeline import again


class Told:
    """Facts of a file; what it does not tell is ``None`` or empty, what is of another type is refused.

    Args:
        path: the file, for errors.
        values: what it tells.
    """

    def __init__(self, path: Path, values: Mapping[str, Any]) -> None:
        self.path = path
        self.values = values

    def number(self, name: str) -> float | None:
        """A number that is finite."""
        value = self.values.get(name)
        if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
            return value
        raise self._wrong(name)

    def count(self, name: str) -> int | None:
        """A whole number."""
        value = self.number(name)
        if value is None or isinstance(value, int):
            return value
        raise self._wrong(name)

    def text(self, name: str) -> str | None:
        """A text."""
        value = self.values.get(name)
        if value is None or isinstance(value, str):
            return value
        raise self._wrong(name)

    def part(self, name: str) -> "Told":
        """Facts below a name."""
        value = self.values.get(name, {})
        if not isinstance(value, Mapping):
            raise self._wrong(name)
        return Told(self.path, value)

    def rows(self, name: str) -> list["Told"]:
        """A table."""
        value = self.values.get(name, [])
        if not isinstance(value, list) or not all(isinstance(row, Mapping) for row in value):
            raise self._wrong(name)
        return [Told(self.path, row) for row in value]

    def counts(self) -> dict[str, int]:
        """All values, which have to be whole numbers, by their names."""
        return {name: self.count(name) or 0 for name in self.values}

    def reasons(self, name: str) -> dict[str, int]:
        """Counts by reason: rows of ``reason`` and ``count``, or, from version 0.2.0, counts by name."""
        if isinstance(self.values.get(name), Mapping):
            return self.part(name).counts()
        return {row.text("reason") or "": row.count("count") or 0 for row in self.rows(name)}

    def texts(self, name: str) -> list[str]:
        """A list of texts."""
        value = self.values.get(name, [])
        if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
            raise self._wrong(name)
        return value

    def _wrong(self, name: str) -> DataError:
        return DataError(f"{self.path} tells of {name!r} what no stage tells", again(self.path))
