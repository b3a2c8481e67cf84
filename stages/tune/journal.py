"""Optuna's journal with checks: a damaged line is named, never taken for what a trial gave."""

import os
from pathlib import Path
from typing import Any

from optuna.storages.journal import JournalFileBackend

from stages.artifacts.journal import JournalChecks, guarded_lines


class CheckedJournal(JournalFileBackend):
    """A journal that only this process writes to, since it holds the lock of the work directory.

    Args:
        path: the journal, whose lines are whole and checked; made when missing.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._path = path
        self._checks = JournalChecks(path.read_bytes())

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write lines to the end and bring them to the disk."""
        with self._path.open("ab") as file:
            file.write(guarded_lines(self._checks, logs))
            file.flush()
            os.fsync(file.fileno())
