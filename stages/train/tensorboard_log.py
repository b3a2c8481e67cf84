"""The log of a run for TensorBoard: a folder of event files, written by torch's writer."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from stages.artifacts.errors import DataError
from stages.frame.reporter import Reporter
from stages.train.run_log import Shown, missing


class TensorBoardWriter:
    """A folder below ``--log-to``, called like the run.

    A run that goes on adds to the event files that are there. One that begins anew hides their epochs, as TensorBoard
    does after a crash.

    Args:
        shown: the run.
        reporter: is told where the log is.

    Raises:
        UsageError: when TensorBoard is not installed.
        DataError: when the folder cannot be written.
    """

    def __init__(self, shown: Shown, reporter: Reporter) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise missing("tensorboard", "tensorboard", error) from error
        self._folder = Path(shown.place) / shown.name
        self._options = {name: _plain(value) for name, value in shown.options.items()}
        self._there = _epochs_in(self._folder) if shown.resumed else set()
        try:
            self._writer: Any = SummaryWriter(str(self._folder), purge_step=None if shown.resumed else 0)
        except OSError as error:
            raise DataError(
                f"cannot write {self._folder}: {error.strerror or error}", "Choose another folder with --log-to."
            ) from error
        if not shown.resumed:
            lines = [f"| {name} | {value} |" for name, value in self._options.items()]
            self._writer.add_text("options", "\n".join(["| option | value |", "| --- | --- |", *lines]), 0)
        reporter.info(f"curves: tensorboard --logdir {self._folder.parent}")

    def logged(self) -> Collection[int]:
        """Epochs that the folder has."""
        return self._there

    def write(self, epoch: int, values: Mapping[str, float]) -> None:
        """Put numbers at an epoch, and flush."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, epoch)
        self._writer.flush()

    def close(self, status: str, best: Mapping[str, float]) -> None:
        """Put options and the best epoch into the table of hyperparameters."""
        if best:
            self._writer.add_hparams(
                self._options, {f"best_{name}": value for name, value in best.items()}, run_name="."
            )
        self._writer.close()


def _epochs_in(folder: Path) -> set[int]:
    """Epochs that the event files of a folder hold, as TensorBoard shows them."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    if not folder.is_dir():
        return set()
    events: Any = EventAccumulator(str(folder), size_guidance={"scalars": 0})  # 0: all of them
    events.Reload()
    names = [name for name in events.Tags()["scalars"] if name.startswith("validation/")]
    return {event.step for name in names for event in events.Scalars(name)}


def _plain(value: Any) -> bool | int | float | str:
    """An option as TensorBoard takes it."""
    return value if isinstance(value, bool | int | float | str) else "none" if value is None else str(value)
