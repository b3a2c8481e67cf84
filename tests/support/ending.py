"""A reporter that ends training after an epoch, as an interruption would."""

from stages.frame.reporter import Reporter


class Ending(Reporter):
    """Raises ``InterruptedError`` when it hears of an epoch."""

    def __init__(self, epoch: int) -> None:
        self._epoch = epoch

    def on_epoch(self, number: int, metric: float) -> None:
        if number == self._epoch:
            raise InterruptedError
