"""What ``--json`` prints on stdout: one object for every command, errors included; ``output.schema.json`` describes it.

{"cocorec": "0.2.0", "command": "train", "exit_code": 0, "result": {...}, "warnings": [], "error": null}
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from stages import __version__

JSON = "--json"


@dataclass
class Envelope:
    """What a command has to say to a program.

    Attributes:
        command: its name, as it was typed.
        wanted: whether it is to be printed.
        result: what came of the command, as JSON values; ``None`` where it came to nothing.
        warnings: all that the user was warned of, in order.
        error: ``kind``, ``message`` and ``hint``, where the command failed.
    """

    command: str | None = None
    wanted: bool = False
    result: Any = None
    warnings: list[str] = field(default_factory=list)
    error: dict[str, Any] | None = None

    def fail(self, kind: str, message: str, hint: str | None) -> None:
        """Note why the command failed; the first reason counts."""
        self.error = self.error or {"kind": kind, "message": message, "hint": hint}

    def to_json(self, exit_code: int) -> dict[str, Any]:
        """The whole as JSON values."""
        return {
            "cocorec": __version__,
            "command": self.command,
            "exit_code": exit_code,
            "result": self.result,
            "warnings": self.warnings,
            "error": self.error,
        }

    @property
    def says_something(self) -> bool:
        """Whether there is a result or an error; a page of help is neither."""
        return self.result is not None or self.error is not None


_current = Envelope()


def envelope() -> Envelope:
    """That of the command that runs now."""
    return _current


@contextmanager
def collecting(args: Sequence[str]) -> Iterator[Envelope]:
    """Begin a new envelope for a command line.

    ``--json`` is looked for before the line is parsed, since a line that cannot be parsed is an error to be told, too.
    """
    global _current
    words = list(args[: args.index("--")] if "--" in args else args)
    before = _current
    _current = Envelope(next((word for word in words if not word.startswith("-")), None), JSON in words)
    try:
        yield _current
    finally:
        _current = before
