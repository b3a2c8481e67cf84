"""How a stage tells what it is doing, without knowing whether a person, a log file or nobody listens."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_log = logging.getLogger("cocorec")


class Reporter:
    """Progress and messages of a stage; this one writes to the ``cocorec`` logger, the command line to stderr."""

    def info(self, message: str) -> None:
        """Say something the user may want to know."""
        _log.info(message)

    def announce(self, message: str) -> None:
        """Say why nothing will happen for a while, or how long work will take."""
        _log.info(message)

    def warn(self, message: str) -> None:
        """Say something the user should act on."""
        _log.warning(message)

    def on_epoch(self, number: int, metric: float) -> None:
        """Hear of a finished epoch of training and, by raising, end the run there as an interruption would.

        A run that goes on after an interruption tells first of the epochs it had finished before.

        Args:
            number: of the epoch, from 1.
            metric: its validation NDCG@10.
        """

    @contextmanager
    def track(self, label: str, total: int | None = None, unit: str = "") -> Iterator[Callable[[int], None]]:
        """Follow long work: yields a function to be called with how many more units are done.

        Args:
            label: what is going on, such as ``"embedding title"``.
            total: how many units there are, ``None`` where unknown.
            unit: what is counted, such as ``"texts"``.
        """
        yield lambda done: None
