from dataclasses import replace

import pyarrow.parquet as pq
import pytest

from stages.artifacts.names import HISTORY
from stages.frame.reporter import Reporter
from stages.train import TrainOptions, train


def test_warm_up_is_linear(structured, small):
    train(TrainOptions(epochs=1, **{**small, "warmup_steps": 1000}), workdir=structured)
    (row,) = pq.read_table(structured / HISTORY).to_pylist()
    assert row["learning_rate"] == pytest.approx(small["learning_rate"] * row["step"] / 1000)


class Hearer(Reporter):
    """Remembers the epochs it hears of, and ends the run at one of them."""

    def __init__(self, end: int) -> None:
        self.end, self.heard = end, {}

    def on_epoch(self, number: int, metric: float) -> None:
        self.heard[number] = metric
        if number == self.end:
            raise InterruptedError


def test_a_run_that_goes_on_tells_of_all_its_epochs(structured, small):
    options = TrainOptions(epochs=4, model="sasrec", **small)
    first, second = Hearer(2), Hearer(5)
    with pytest.raises(InterruptedError):
        train(options, workdir=structured, reporter=first)
    assert list(first.heard) == [1, 2]
    train(replace(options, resume=True), workdir=structured, reporter=second)
    rows = pq.read_table(structured / HISTORY).to_pylist()
    assert second.heard == {row["epoch"]: row["ndcg@10"] for row in rows}
    assert first.heard.items() <= second.heard.items()
