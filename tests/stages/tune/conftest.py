"""A stage that is done at once, in place of training."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest

from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.names import SEQUENCES
from stages.frame.options import Option, Options
from stages.frame.reporter import Reporter
from stages.frame.result import Result
from stages.tune.space import SearchedStage

EPOCHS = 6


@dataclass(frozen=True)
class TrainingOptions(Options):
    model: Annotated[str, Option("Which.", "Model")] = "cocorec"
    rate: Annotated[float, Option("What is reached.", "Model", min=0, max=1)] = 0.8
    dim: Annotated[int, Option("Width.", "Model", min=1)] = 4
    heads: Annotated[int, Option("Heads.", "Model", min=1)] = 2
    seed: Annotated[int, Option("Seed.", "Model", searched=False)] = 0

    def check(self) -> None:
        if self.dim % self.heads:
            raise UsageError(f"--heads {self.heads} does not divide --dim {self.dim}")


class Training:
    """Reaches ``rate`` in even steps, one an epoch; remembers the options and folders of its runs."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.on_epoch: Callable[[int], None] = lambda epoch: None

    def __call__(
        self, options: TrainingOptions, *, workdir: Path, force: bool = False, reporter: Reporter | None = None
    ) -> Result:
        if not (workdir / SEQUENCES).exists():
            raise DataError(f"{workdir / SEQUENCES} does not exist")
        self.calls.append({"workdir": workdir, **vars(options)})
        for epoch in range(1, EPOCHS + 1):
            self.on_epoch(epoch)
            (reporter or Reporter()).on_epoch(epoch, options.rate * epoch / EPOCHS)
        return Result("train", {}, {"validation": {"ndcg@10": options.rate + options.seed}, "best_epoch": EPOCHS})

    @property
    def stages(self) -> dict[str, SearchedStage]:
        """The stages of a search that varies its options alone."""
        return {"train": SearchedStage(TrainingOptions, self)}


@pytest.fixture
def training() -> Training:
    return Training()
