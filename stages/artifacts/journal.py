"""The checks in a journal of JSON lines: each line says whether it, and all that stand before it, are as written.

A line ends with ``"check"`` and 16 hexadecimal digits, of the SHA-256 of the bytes of all lines before and of the line
without its check. So a journal can grow line by line, is whole after each, and no line of it can change, go or move.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from stages.artifacts.atomic import require_file
from stages.artifacts.errors import DataError

_DIGITS = 16
_CHECK = re.compile(rb',"check":"([0-9a-f]{%d})"\}$' % _DIGITS)
_HINT = "Fetch a good copy, or begin again with --no-resume."


class JournalChecks:
    """What the checks of further lines start from.

    Args:
        content: the lines that are there, which are not looked at.
    """

    def __init__(self, content: bytes = b"") -> None:
        self._before = hashlib.sha256(content)

    def line(self, log: Mapping[str, Any]) -> bytes:
        """An object with at least one entry as the next line, with its check and its end."""
        text = json.dumps(log, separators=(",", ":")).encode()
        line = text[:-1] + b',"check":"' + self._digits(text) + b'"}\n'
        self._before.update(line)
        return line

    def holds(self, line: bytes) -> bool | None:
        """Whether the next line, without its end, is what was written; ``None`` if it says nothing of itself."""
        found = _CHECK.search(line)
        whole = found[1] == self._digits(line[: found.start()] + b"}") if found else None
        self._before.update(line + b"\n")
        return whole

    def _digits(self, text: bytes) -> bytes:
        digest = self._before.copy()
        digest.update(text)
        return digest.hexdigest()[:_DIGITS].encode()


def check_journal(path: Path) -> int:
    """Hold a journal against its checks; lines of earlier versions, which stand first and have none, pass.

    Returns:
        The size of its whole lines, bytes. What follows is a line that a killed process did not finish.

    Raises:
        DataError: naming the first line that is not what was written.
    """
    require_file(path)
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    *lines, rest = content.split(b"\n")
    checks, guarded = JournalChecks(), False
    for number, line in enumerate(lines, 1):
        whole = checks.holds(line)
        if whole is False or (guarded and whole is None) or not (whole or _is_object(line)):
            raise DataError(f"{path} is damaged: line {number} is not what was written", _HINT)
        guarded = guarded or bool(whole)
    if rest and checks.holds(rest[:-1]):  # an end of line that is none any more
        raise DataError(f"{path} is damaged: line {len(lines) + 1} is not what was written", _HINT)
    return len(content) - len(rest)


def guarded_lines(checks: JournalChecks, logs: Iterable[Mapping[str, Any]]) -> bytes:
    """Several objects as the next lines."""
    return b"".join(checks.line(log) for log in logs)


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
