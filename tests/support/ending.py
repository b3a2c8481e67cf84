"""A reporter that ends training after an epoch, as an interruption would."""

from recording import Recorder


class Ending(Recorder):
    """Raises ``InterruptedError`` when it hears of an epoch."""

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self._epoch = epoch

    def on_epoch(self, number: int, metric: float) -> None:
        super().on_epoch(number, metric)
        if number == self._epoch:
            raise InterruptedError
