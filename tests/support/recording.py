"""A reporter that remembers what a stage tells it."""

from stages.frame.reporter import Reporter


class Recorder(Reporter):
    """Keeps messages and epochs.

    Attributes:
        said: messages and warnings, in their order.
        infos: messages alone.
        warnings: warnings alone.
        epochs: the metric of each epoch, by its number.
    """

    def __init__(self) -> None:
        self.said: list[str] = []
        self.infos: list[str] = []
        self.warnings: list[str] = []
        self.epochs: dict[int, float] = {}

    def info(self, message: str) -> None:
        self.said.append(message)
        self.infos.append(message)

    def warn(self, message: str) -> None:
        self.said.append(message)
        self.warnings.append(message)

    def on_epoch(self, number: int, metric: float) -> None:
        self.epochs[number] = metric
