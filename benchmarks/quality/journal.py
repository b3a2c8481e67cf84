"""What the runner has run, beside the runs: ``journal.jsonl``, a line as a command begins and one as it ends.

Each line is one JSON object: ``event`` (``begun``, ``done``, ``failed``, ``stopped``), ``run``, ``stage``, ``data``,
``row`` and ``seed`` where the stage has these, ``split`` for ``evaluate``, ``at``; at the end ``cpu_seconds`` and
``wall_seconds`` of the command with its children, and ``skipped`` where all was up to date. Lines are only added.
"""

import json
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stages.artifacts.errors import DataError

JOURNAL = "journal.jsonl"

Entry = Mapping[str, Any]


def append(path: Path, entry: Entry) -> None:
    """Add a line in one write, so that runners that share the file do not mix theirs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps({**entry, "at": datetime.now(UTC).isoformat(timespec="seconds")}) + "\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        os.write(descriptor, line.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read(path: Path) -> list[dict[str, Any]]:
    """The lines of a journal; none where there is no file.

    Raises:
        DataError: naming a line that is no JSON object: counts of a damaged journal would be too low.
    """
    entries = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines() if path.exists() else [], start=1):
        try:
            entry = json.loads(line)
        except ValueError as error:
            raise DataError(f"{path}, line {number}: no JSON ({error})", "Mend the line, or take it out.") from error
        if not isinstance(entry, dict):
            raise DataError(f"{path}, line {number}: no JSON object", "Mend the line, or take it out.")
        entries.append(entry)
    return entries


def looks(entries: Iterable[Entry], data: str, split: str) -> int:
    """How often models were evaluated on a split of a data set: evaluations that began, unless all was up to date.

    One that failed or was killed counts, for it may have come as far as its figures.
    """
    count = 0
    for entry in entries:
        if entry.get("stage") == "evaluate" and entry.get("data") == data and entry.get("split") == split:
            count += entry["event"] == "begun"
            count -= entry["event"] == "done" and bool(entry.get("skipped"))
    return count


def cpu_seconds(entries: Iterable[Entry], data: str, row: str, seed: int, stage: str) -> float | None:
    """CPU seconds of a stage of a run, the last time that it ended well; ``None`` where the journal does not tell."""
    wanted = {"event": "done", "data": data, "row": row, "seed": seed, "stage": stage}
    found = None
    for entry in entries:
        if not entry.get("skipped") and all(entry.get(key) == value for key, value in wanted.items()):
            found = float(entry["cpu_seconds"])
    return found
