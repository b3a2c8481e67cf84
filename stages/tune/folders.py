"""Where trials work: folders beside each other with links to what they share, and histories without test items."""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from stages.artifacts.atomic import remove_leftovers
from stages.artifacts.digest import check_digest
from stages.artifacts.errors import DataError
from stages.artifacts.fingerprints import Fingerprints
from stages.artifacts.lineage import RAW, Lineage, read_lineage
from stages.artifacts.lock import clear_leftovers
from stages.artifacts.names import CHECKPOINT_DIR, CODES, EMBEDDINGS, ITEMS, SEQUENCES, TUNE_DIR
from stages.artifacts.sequences import SEQUENCES_SCHEMA, read_sequences
from stages.artifacts.tables import write_table

_TRIAL = "trial-{:04}"


class Folders:
    """The folder ``tune`` of a work directory.

    Trials see ``tune/sequences.parquet``, in which every history ends with its validation items; no test item
    stands below ``tune``.

    Args:
        workdir: the work directory.
    """

    def __init__(self, workdir: Path) -> None:
        self._workdir = workdir
        self._root = workdir / TUNE_DIR

    def prepare(self) -> None:
        """Write the histories without test items.

        Raises:
            DataError: when ``sequences.parquet`` is missing or breaks the contract.
        """
        self._root.mkdir(parents=True, exist_ok=True)
        remove_leftovers(self._root)
        source, target = self._workdir / SEQUENCES, self._root / SEQUENCES
        inputs = {f"{RAW}{SEQUENCES}": Fingerprints(self._workdir).of_contents(source)}
        with contextlib.suppress(DataError):  # what is missing or damaged is made anew
            lineage = read_lineage(target)
            check_digest(target)
            if lineage and lineage.inputs == inputs:
                return
        write_table(target, without_test(source), Lineage("tune", {}, inputs))

    def trial(self, number: int, run: int) -> Path:
        """The folder of one training run of a trial."""
        return self._root / _TRIAL.format(number) / f"run-{run}"

    def codes(self, options: Mapping[str, Any]) -> Path:
        """The folder of the codes made with these options; trials with the same options share it."""
        text = json.dumps(dict(options), sort_keys=True, default=str)
        return self._root / "codes" / hashlib.sha256(text.encode()).hexdigest()[:16]

    def link(self, folder: Path, *, codes: Path | None = None) -> None:
        """Make a folder that shows the shared files.

        Args:
            folder: of a trial, or of codes.
            codes: the folder whose ``codes.parquet`` it shows, ``None`` for none.
        """
        folder.mkdir(parents=True, exist_ok=True)
        clear_leftovers(folder)
        targets = [self._root / SEQUENCES, self._workdir / EMBEDDINGS, self._workdir / ITEMS]
        for target in [*targets, *([codes / CODES] if codes else [])]:
            link = folder / target.name
            if link.is_symlink():
                link.unlink()
            if target.exists() and not link.exists():
                link.symlink_to(os.path.relpath(target, folder))

    def tidy(self, number: int) -> None:
        """Drop what only an interrupted run of a trial would need."""
        for folder in (self._root / _TRIAL.format(number)).glob("run-*"):
            shutil.rmtree(folder / CHECKPOINT_DIR, ignore_errors=True)


def without_test(path: Path) -> pa.Table:
    """The histories of ``sequences.parquet`` up to their validation items, without times."""
    sequences = read_sequences(path, user_ids=True)
    lengths = np.diff(sequences.offsets)
    place = np.arange(len(sequences.items)) - np.repeat(sequences.offsets[:-1], lengths)
    kept = sequences.items[place < np.repeat(sequences.valid_end, lengths)]
    offsets = np.concatenate([[0], np.cumsum(sequences.valid_end)]).astype(np.int32)
    assert sequences.user_ids is not None
    columns = [
        sequences.user_ids.cast(pa.string()),
        pa.ListArray.from_arrays(pa.array(offsets), pa.array(kept, pa.int32())),
        pa.nulls(sequences.users, pa.list_(pa.int64())),
        pa.array(sequences.train_end, pa.int32()),
        pa.array(sequences.valid_end, pa.int32()),
    ]
    return pa.table(columns, schema=SEQUENCES_SCHEMA)
