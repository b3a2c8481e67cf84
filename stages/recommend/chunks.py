"""Finished lists on disk, so that a run that was interrupted goes on after them."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch

from stages.artifacts.errors import DataError, raise_shortage
from stages.artifacts.lineage import Lineage
from stages.artifacts.tables import read_table, write_table
from stages.frame.run import StageRun

_ROOT, _PREFIX = ".cocorec", "recommend-"


def remove_chunks(workdir: Path) -> None:
    """Delete the chunks that finished runs do not need and interrupted ones left, with whatever options."""
    for folder in (workdir / _ROOT).glob(f"{_PREFIX}*"):
        shutil.rmtree(folder, ignore_errors=True)


class ChunkStore:
    """Tables of lists, a file per chunk of users, in the work directory's ``.cocorec/recommend-<key>/``.

    Args:
        run: of the stage, its options and inputs noted.
        surroundings: what else decides the bytes, such as the number of threads.
    """

    def __init__(self, run: StageRun, surroundings: dict[str, Any]) -> None:
        decides = [run.recorded, run.inputs, surroundings, torch.__version__]
        key = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:16]
        self._folder = run.path(_ROOT) / f"{_PREFIX}{key}"

    def read(self, chunk: int) -> pa.Table | None:
        """The lists of a finished chunk; ``None`` where it is missing or damaged."""
        try:
            return read_table(self._path(chunk))
        except DataError as error:
            raise_shortage(error)
            return None

    def write(self, chunk: int, table: pa.Table) -> None:
        """Keep the lists of a chunk.

        Raises:
            DataError: when the disk is full or the folder cannot be written.
        """
        write_table(self._path(chunk), table, Lineage("recommend", {}, {}))

    def _path(self, chunk: int) -> Path:
        return self._folder / f"{chunk:06d}.parquet"
