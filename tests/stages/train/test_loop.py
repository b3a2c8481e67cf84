import pyarrow.parquet as pq
import pytest

from stages.artifacts.names import HISTORY
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
