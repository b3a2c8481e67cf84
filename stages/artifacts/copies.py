"""Copies of inputs from other machines in the work directory, each with a note of its origin and its hash."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stages.artifacts.atomic import read_json, write_json
from stages.artifacts.digest import OPEN_DIGEST
from stages.artifacts.errors import DataError

COPIES = ".cocorec/inputs"
"""Folder of the copies in the work directory; one folder below it for each remote one."""

NOTE = ".source.json"
"""Ending of the note beside a copy."""

_HASH = "sha256"


def known_origin(copy: Path) -> dict[str, Any]:
    """What the note beside a copy tells of its origin; nothing where the copy or the note is missing or damaged."""
    try:
        return _checked_note(copy)
    except DataError:
        return {}


def note_origin(copy: Path, origin: Mapping[str, Any]) -> None:
    """Write the note beside a copy.

    Args:
        copy: the file.
        origin: JSON values, by which it is told whether the remote file has changed.

    Raises:
        DataError: when it cannot be written.
    """
    write_json(_note(copy), {**origin, _HASH: _hash(copy), **OPEN_DIGEST})


def check_copy(path: Path) -> None:
    """Hold a copy against its note, or a note against itself.

    Raises:
        DataError: when the bytes are not those that came.
    """
    if path.name.endswith(NOTE):
        read_json(path)
    else:
        _checked_note(path)


def _checked_note(copy: Path) -> dict[str, Any]:
    note = read_json(_note(copy))
    if not isinstance(note, dict) or not copy.is_file() or note.pop(_HASH, None) != _hash(copy):
        raise DataError(
            f"{copy} is damaged: its bytes are not those that came", "Delete it; `cocorec preprocess` fetches it again."
        )
    return {name: value for name, value in note.items() if name not in OPEN_DIGEST}


def _note(copy: Path) -> Path:
    return copy.with_name(copy.name + NOTE)


def _hash(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(
            f"cannot read {path}: {error.strerror or error}", "Delete it and repeat the command."
        ) from error
