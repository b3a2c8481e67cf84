"""Where the curves of a run are shown: TensorBoard or MLflow, each through its own writer."""

import importlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from stages.artifacts.errors import CocorecError, UsageError
from stages.artifacts.names import HistoryColumns
from stages.frame.extras import how_to_install
from stages.frame.log_place import MLFLOW, TENSORBOARD, log_place
from stages.frame.run import StageRun
from stages.metrics.accuracy import cutoff_of
from stages.train.options import SELECTION_METRIC, TrainOptions

EPOCHS_PER_SECOND = "epochs_per_second"
"""What is logged beside the columns of ``model/history.parquet``."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Shown:
    """A run as its log shows it.

    Attributes:
        name: of the run.
        key: fingerprint of options and inputs; a run that goes on has the key it had.
        options: what the lineage records, with which the run is told from others.
        place: where the log goes: a folder of TensorBoard, or a tracking address of MLflow.
        resumed: epochs that were finished before; 0 for a run that begins.
    """

    name: str
    key: str
    options: Mapping[str, Any]
    place: str
    resumed: int


class Writer(Protocol):
    """A way to keep curves."""

    def logged(self) -> Collection[int]:
        """Epochs that the log of this run already has."""

    def write(self, epoch: int, values: Mapping[str, float]) -> None:
        """Put numbers at an epoch; they can be read when this returns."""

    def close(self, status: str, best: Mapping[str, float]) -> None:
        """End the log.

        Args:
            status: ``FINISHED``, ``FAILED`` or ``KILLED``.
            best: numbers of the best epoch, which tell runs from each other.
        """


_WRITERS = {
    TENSORBOARD: "stages.train.tensorboard_log:TensorBoardWriter",
    MLFLOW: "stages.train.mlflow_log:MlflowWriter",
}


class RunLog:
    """The log of one run; without a writer it keeps nothing.

    Args:
        writer: where epochs go.
    """

    def __init__(self, writer: Writer | None = None) -> None:
        self._writer = writer
        self._best: dict[str, float] = {}

    def catch_up(self, history: Sequence[Row]) -> None:
        """Log the epochs of a run that goes on and that its log lacks: those that were not logged when they ended."""
        there = self._writer.logged() if self._writer else ()
        for row in history:
            self._log(row, {}, known=row[HistoryColumns.EPOCH] in there)

    def epoch(self, row: Row, seconds: float) -> None:
        """Log an epoch.

        Args:
            row: of ``model/history.parquet``.
            seconds: that training and validation took.
        """
        self._log(row, {EPOCHS_PER_SECOND: 1 / seconds if seconds > 0 else 0.0}, known=False)

    def close(self, status: str) -> None:
        """End the log."""
        if self._writer:
            self._writer.close(status, self._best)

    def _log(self, row: Row, more: Mapping[str, float], *, known: bool) -> None:
        if not self._writer:
            return
        values = {tag(name): float(value) for name, value in row.items() if name not in _COUNTS and value is not None}
        if values.get(tag(SELECTION_METRIC), -1.0) > self._best.get(tag(SELECTION_METRIC), -1.0):
            self._best = {name: value for name, value in values.items() if name.startswith(_VALIDATION)}
        if not known:
            self._writer.write(row[HistoryColumns.EPOCH], {**values, **more})


_COUNTS = (HistoryColumns.EPOCH, HistoryColumns.STEP)
_VALIDATION, _TRAINING = "validation/", "training/"


def tag(name: str) -> str:
    """What a column of ``model/history.parquet`` is called in a log, which groups by what stands before the slash."""
    if name == HistoryColumns.LEARNING_RATE:
        return name
    return (_VALIDATION if name == "mrr" or cutoff_of(name) is not None else _TRAINING) + name


@contextmanager
def open_log(options: TrainOptions, run: StageRun, key: str, history: Sequence[Row]) -> Iterator[RunLog]:
    """The log that the options ask for, closed at the end of the block with how that went.

    Args:
        options: of the stage.
        run: of the stage.
        key: fingerprint of options and inputs.
        history: rows of the epochs that were finished before.

    Raises:
        UsageError: when the package that writes the log is not installed.
        DataError: when the log cannot be written.
    """
    if options.log is None:
        yield RunLog()
        return
    module, _, name = _WRITERS[options.log].partition(":")
    name_of_run = options.log_name or f"{options.model}-{key[:8]}"
    place = options.log_to or log_place(options.log, run.workdir)
    shown = Shown(name_of_run, key, run.recorded, place, len(history))
    log = RunLog(getattr(importlib.import_module(module), name)(shown, run.reporter))
    status = "KILLED"
    try:
        log.catch_up(history)
        yield log
        status = "FINISHED"
    except CocorecError:
        status = "FAILED"
        raise
    finally:
        log.close(status)


def missing(package: str, extra: str, error: ImportError) -> UsageError:
    """The error for a writer whose package cannot be imported."""
    return UsageError(
        f"--log {extra} needs the package {package}, which cannot be imported: {error}",
        f"Install the extra that brings it: {how_to_install(extra)}.",
    )
