import pyarrow.parquet as pq
import pytest

from stages.artifacts.names import HISTORY
from stages.artifacts.reporter import Reporter
from stages.train import train
from stages.train.loop import reductions


@pytest.mark.parametrize(
    ("metrics", "patience", "expected"),
    [
        ([], 2, 0),
        ([0.1, 0.2, 0.3], 1, 0),
        ([0.3, 0.2], 2, 0),
        ([0.3, 0.2, 0.1], 2, 1),
        ([0.3, 0.2, 0.1, 0.1], 2, 1),
        ([0.3, 0.2, 0.1, 0.1, 0.1], 2, 2),
        ([0.3, 0.2, 0.1, 0.4, 0.1, 0.1], 2, 2),
        ([0.3, 0.2, 0.1, 0.1, 0.1], 0, 0),
    ],
)
def test_learning_rate_falls_when_validation_waits(metrics, patience, expected):
    assert reductions(metrics, patience) == expected


def test_learning_rates_of_a_run_follow_its_validation(structured, small):
    options = {**small, "learning_rate": 0.05}
    train(workdir=structured, epochs=40, patience=6, lr_patience=2, **options)
    rows = pq.read_table(structured / HISTORY).to_pylist()
    assert rows[-1]["learning_rate"] < 0.05
    for epoch, row in enumerate(rows[1:], 1):
        falls = reductions([earlier["ndcg@10"] for earlier in rows[:epoch]], 2)
        assert row["learning_rate"] == pytest.approx(0.05 * 0.25**falls)


def test_warm_up_is_linear(structured, small):
    train(workdir=structured, epochs=1, **{**small, "warmup_steps": 1000})
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
    options = {"workdir": structured, "epochs": 4, "model": "sasrec", **small}
    first, second = Hearer(2), Hearer(5)
    with pytest.raises(InterruptedError):
        train(reporter=first, **options)
    assert list(first.heard) == [1, 2]
    train(reporter=second, resume=True, **options)
    rows = pq.read_table(structured / HISTORY).to_pylist()
    assert second.heard == {row["epoch"]: row["ndcg@10"] for row in rows}
    assert first.heard.items() <= second.heard.items()
