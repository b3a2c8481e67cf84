"""A stage that is done at once, in place of training."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.names import SEQUENCES
from stages.frame.reporter import Reporter
from stages.frame.result import Result

EPOCHS = 6


class Training:
    """Reaches ``rate`` in even steps, one an epoch; remembers the options and folders of its runs."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.on_epoch: Callable[[int], None] = lambda epoch: None

    def __call__(
        self,
        *,
        workdir: Path,
        model: str = "cocorec",
        rate: float = 0.8,
        dim: int = 4,
        heads: int = 2,
        seed: int = 0,
        force: bool = False,
        reporter: Reporter | None = None,
    ) -> Result:
        if not 0 <= rate <= 1:
            raise UsageError(f"--rate {rate} is not within 0..1")
        if dim % heads:
            raise UsageError(f"--heads {heads} does not divide --dim {dim}")
        if not (workdir / SEQUENCES).exists():
            raise DataError(f"{workdir / SEQUENCES} does not exist")
        self.calls.append({"workdir": workdir, "rate": rate, "dim": dim, "heads": heads, "seed": seed})
        for epoch in range(1, EPOCHS + 1):
            self.on_epoch(epoch)
            (reporter or Reporter()).on_epoch(epoch, rate * epoch / EPOCHS)
        return Result("train", {}, {"validation": {"ndcg@10": rate + seed}, "best_epoch": EPOCHS})


@pytest.fixture
def training() -> Training:
    return Training()
