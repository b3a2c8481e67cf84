from dataclasses import replace

import pyarrow.parquet as pq
import pytest
from ending import Ending
from recording import Recorder

from stages.artifacts.names import HISTORY
from stages.train import TrainOptions, train


def test_warm_up_is_linear(structured, small):
    train(TrainOptions(epochs=1, **{**small, "warmup_steps": 1000}), workdir=structured)
    (row,) = pq.read_table(structured / HISTORY).to_pylist()
    assert row["learning_rate"] == pytest.approx(small["learning_rate"] * row["step"] / 1000)


def test_a_run_that_goes_on_tells_of_all_its_epochs(structured, small):
    options = TrainOptions(epochs=4, model="sasrec", **small)
    first, second = Ending(2), Recorder()
    with pytest.raises(InterruptedError):
        train(options, workdir=structured, reporter=first)
    assert list(first.epochs) == [1, 2]
    train(replace(options, resume=True), workdir=structured, reporter=second)
    rows = pq.read_table(structured / HISTORY).to_pylist()
    assert second.epochs == {row["epoch"]: row["ndcg@10"] for row in rows}
    assert first.epochs.items() <= second.epochs.items()
