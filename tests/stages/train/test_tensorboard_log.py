"""Event files, read back by TensorBoard's own reader."""

from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from ending import Ending
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from stages.artifacts.names import HISTORY, MODEL_WEIGHTS
from stages.train import TrainOptions, train


@pytest.fixture
def options(small):
    return TrainOptions(epochs=3, model="sasrec", log="tensorboard", **small)


def read(folder: Path) -> EventAccumulator:
    [run] = folder.iterdir()
    found = EventAccumulator(str(run), size_guidance={"scalars": 0})
    found.Reload()
    return found


def curve(found: EventAccumulator, name: str) -> dict[int, float]:
    events = found.Scalars(name)
    assert len({event.step for event in events}) == len(events)
    return {event.step: event.value for event in events}


def columns(workdir: Path) -> dict[str, dict[int, float]]:
    """The log of training by the names of curves."""
    rows = pq.read_table(workdir / HISTORY).to_pylist()
    names = {"training/loss": "loss", "training/rec": "rec", "validation/ndcg@10": "ndcg@10", "validation/mrr": "mrr"}
    names["learning_rate"] = "learning_rate"
    return {name: {row["epoch"]: pytest.approx(row[column]) for row in rows} for name, column in names.items()}


def test_curves_are_those_of_the_history_and_the_model_is_the_same(structured, options, make_structured, tmp_path):
    train(options, workdir=structured)
    found = read(structured / "tensorboard")
    for name, values in columns(structured).items():
        assert curve(found, name) == values
    assert all(value > 0 for value in curve(found, "epochs_per_second").values())
    text = found.Tensors("options/text_summary")[0].tensor_proto.string_val[0].decode()
    assert "| dim | 16 |" in text and "| learning_rate | 0.01 |" in text
    plain = make_structured(tmp_path / "plain")
    train(replace(options, log=None), workdir=plain)
    assert (plain / MODEL_WEIGHTS).read_bytes() == (structured / MODEL_WEIGHTS).read_bytes()
    assert not (plain / "tensorboard").exists()


def test_the_table_of_hyperparameters_has_the_options_and_the_best_epoch(structured, options):
    train(options, workdir=structured)
    found = read(structured / "tensorboard")
    start = plugin_data_pb2.HParamsPluginData.FromString(
        found.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    )
    given = start.session_start_info.hparams
    assert (given["dim"].number_value, given["model"].string_value) == (16, "sasrec")
    best = max(row["ndcg@10"] for row in pq.read_table(structured / HISTORY).to_pylist())
    [value] = [event.value for event in found.Scalars("best_validation/ndcg@10")]
    assert value == pytest.approx(best)


def test_an_interrupted_run_continues_its_curves(structured, options):
    with pytest.raises(InterruptedError):
        train(options, workdir=structured, reporter=Ending(2))
    assert list(curve(read(structured / "tensorboard"), "validation/ndcg@10")) == [1, 2]
    train(options, workdir=structured)
    found = read(structured / "tensorboard")
    for name, values in columns(structured).items():
        assert curve(found, name) == values
    assert list(curve(found, "epochs_per_second")) == [1, 2, 3]


def test_epochs_that_were_not_logged_are_caught_up_with(structured, options):
    with pytest.raises(InterruptedError):
        train(replace(options, log=None), workdir=structured, reporter=Ending(2))
    train(options, workdir=structured)
    found = read(structured / "tensorboard")
    assert curve(found, "training/loss") == columns(structured)["training/loss"]
    assert list(curve(found, "epochs_per_second")) == [3]


def test_a_run_that_begins_anew_replaces_its_curves(structured, options):
    with pytest.raises(InterruptedError):
        train(options, workdir=structured, reporter=Ending(2))
    train(replace(options, epochs=1, resume=False), workdir=structured)
    assert list(curve(read(structured / "tensorboard"), "training/loss")) == [1]


def test_a_model_that_counts_and_a_place_and_name_of_ones_own(structured, tmp_path):
    options = TrainOptions(model="popularity", log="tensorboard", log_to=str(tmp_path / "board"), log_name="tonight")
    train(options, workdir=structured)
    assert [path.name for path in (tmp_path / "board").iterdir()] == ["tonight"]
    assert list(curve(read(tmp_path / "board"), "validation/mrr")) == [1]
    assert not (structured / "tensorboard").exists()
