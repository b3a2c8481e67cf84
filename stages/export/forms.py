"""Makes each form of what a model knows, and holds it against the model."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.histories import read_histories
from stages.artifacts.items import read_item_ids
from stages.artifacts.names import (
    EXPORT_README,
    HISTORIES,
    ITEM_VECTORS,
    ITEMS,
    MODEL_WEIGHTS,
    ONNX_ENCODER,
    PAIR_BIAS,
    TORCH_ENCODER,
    USER_VECTORS,
)
from stages.export.biases import Biases, consumer_scores, write_pair_bias
from stages.export.check import difference, read_sample
from stages.export.encoder import UserEncoder
from stages.export.guide import guide
from stages.export.options import INDEX, ONNX, TORCH, VECTORS, ExportOptions
from stages.export.vectors import Reader, item_vectors, spans, write_item_vectors, write_user_vectors
from stages.frame.run import StageRun
from stages.model.recommender import Recommender

_USERS = 1_000
"""With whom an index is held against exact search."""


class Exporter:
    """One export.

    Args:
        model: in evaluation mode, with the items that are there now.
        options: of the stage.
        run: of the stage, its inputs noted.
        formats: what is made.

    Raises:
        UsageError: when fewer items are there than ``--top``.
        DataError: when histories or items are damaged, or nobody has a history.
        NotFiniteError: when a vector is NaN or infinite.
    """

    def __init__(self, model: Recommender, options: ExportOptions, run: StageRun, formats: Sequence[str]) -> None:
        self._options = options
        self._run = run
        self._formats = tuple(formats)
        history_table, candidates = model.item_tables()
        self._reader = Reader(model, history_table, options.batch_size)
        self._items = item_vectors(model, candidates)
        self._histories = read_histories(run.path(HISTORIES), items=len(self._items))
        self._users, self._start, self._end = spans(self._histories, self._reader.length)
        if not len(self._users):
            raise DataError(f"{run.path(HISTORIES)} holds no history", "There is nobody to export.")
        if INDEX in self._formats and options.top > len(self._items):
            raise UsageError(f"--top must be from 1 to {len(self._items):,}, the items of the catalogue", "Lower it.")
        self._sample = read_sample(self._reader, self._histories)

    def write(self, folder: Path) -> dict[str, Any]:
        """Write all files into an empty folder; what ``export.json`` says of them.

        Raises:
            CocorecError: when something differs from the model by more than 1e-5.
            OSError, DataError: when the folder cannot be written.
        """
        sample, biases = self._sample, Biases.of(self._reader.model)
        scores = consumer_scores(sample.items, sample.vectors, self._items, biases)
        manifest: dict[str, Any] = {
            "model": self._reader.model.config.model,
            "weights": self._run.inputs[MODEL_WEIGHTS],
            "items": len(self._items),
            "users": len(self._users),
            "dim": self._items.shape[1],
            "max_history": self._reader.length,
            "score": "inner product of the vectors of user and item, plus the biases of item, repeat and pairs",
            "repeat_bias": biases.repeat,
            "recent": biases.recent,
            "differences": {"scores": difference("the score by vectors and biases", scores, sample.scores)},
        }
        if VECTORS in self._formats:
            self._write_vectors(folder, biases)
        if INDEX in self._formats:
            manifest["index"] = self._write_index(folder)
        if TORCH in self._formats or ONNX in self._formats:
            manifest["encoder"] = {
                "input": {"name": "items", "type": "int64", "shape": ["batch", self._reader.length], "padding": 0},
                "output": {"name": "vector", "type": "float32", "shape": ["batch", self._items.shape[1]]},
            }
            manifest["differences"] |= self._write_programs(folder)
        (folder / Path(EXPORT_README).name).write_text(guide(manifest, self._formats), encoding="utf-8")
        return manifest

    def _write_vectors(self, folder: Path, biases: Biases) -> None:
        run, lineage = self._run, self._run.lineage({})
        ids = read_item_ids(run.path(ITEMS))
        if len(ids) != len(self._items):
            raise DataError(
                f"{run.path(ITEMS)} has {len(ids):,} items, the model knows {len(self._items):,}",
                "Run `cocorec train` again.",
            )
        with run.measure("vectors"):
            write_item_vectors(folder / Path(ITEM_VECTORS).name, ids, self._items, biases.items, lineage)
            if biases.recent:
                write_pair_bias(folder / Path(PAIR_BIAS).name, biases, lineage)
            with run.reporter.track("reading histories", len(self._users), "users") as advance:
                path = folder / Path(USER_VECTORS).name
                write_user_vectors(path, self._reader, self._histories, lineage, progress=advance)

    def _write_index(self, folder: Path) -> dict[str, Any]:
        from stages.export import index as indexes

        options = self._options
        with self._run.measure("index"):
            found, made_with = indexes.build_index(self._items, options.index)
            chosen = np.unique(np.linspace(0, len(self._users) - 1, min(len(self._users), _USERS)).astype(np.int64))
            users = self._reader.read(self._histories.items, self._start[chosen], self._end[chosen])
            index = indexes.Index(options.index, len(self._items), self._items.shape[1], found)
            recall = indexes.recall(index, self._items, users, options.top)
            indexes.write_index(found, folder / indexes.FILE)
        return {
            "kind": options.index,
            "metric": "inner product",
            **made_with,
            "top": options.top,
            "users": len(users),
            "recall": round(recall, 6),
        }

    def _write_programs(self, folder: Path) -> dict[str, float]:
        from stages.export import programs

        encoder = UserEncoder(self._reader.model, self._reader.history_table)
        found: dict[str, float] = {}
        with self._run.measure("programs"):
            if TORCH in self._formats:
                path = folder / Path(TORCH_ENCODER).name
                programs.write_torch(programs.traced(encoder), path)
                found[path.name] = self._compare(path, programs.run_torch)
            if ONNX in self._formats:
                path = folder / Path(ONNX_ENCODER).name
                programs.write_onnx(encoder, path)
                found[path.name] = self._compare(path, programs.run_onnx)
        return found

    def _compare(self, path: Path, run: Callable[[Path, Any], Any]) -> float:
        """By how much a program differs from the model, whatever side the padding is on."""
        sample = self._sample
        left = np.stack([np.roll(row, (row == 0).sum()) for row in sample.items])
        both = np.concatenate([sample.items, left])
        return difference(path.name, run(path, both), np.concatenate([sample.vectors, sample.vectors]))
