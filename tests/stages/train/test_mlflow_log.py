"""Runs in MLflow, read back by its own client from a database on this machine."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

from ending import Ending
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from recording import Recorder

from stages.artifacts.errors import DataError
from stages.artifacts.names import HISTORY
from stages.train import TrainOptions, train
from stages.train.mlflow_log import MlflowWriter
from stages.train.run_log import Shown


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of MLflow, which takes seconds to make."""
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def place(empty_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    return f"sqlite:///{shutil.copy(empty_database, tmp_path / 'mlflow.db')}"


@pytest.fixture
def options(small, place):
    return TrainOptions(epochs=3, model="sasrec", log="mlflow", log_to=place, **small)


def runs(place: str) -> list[object]:
    client = MlflowClient(place)
    experiment = client.get_experiment_by_name("cocorec")
    return client.search_runs([experiment.experiment_id], order_by=["start_time ASC"])


def curve(place: str, run: object, name: str) -> dict[int, float]:
    found = MlflowClient(place).get_metric_history(run.info.run_id, name)
    assert len({metric.step for metric in found}) == len(found)
    return {metric.step: metric.value for metric in found}


def column(workdir: Path, name: str) -> dict[int, float]:
    return {row["epoch"]: row[name] for row in pq.read_table(workdir / HISTORY).to_pylist()}


def test_an_interrupted_run_continues_its_curves(structured, options, place):
    with pytest.raises(InterruptedError):
        train(options, workdir=structured, reporter=Ending(2))
    [run] = runs(place)
    assert (run.info.status, list(curve(place, run, "training/loss"))) == ("KILLED", [1, 2])
    train(options, workdir=structured)
    [run] = runs(place)
    assert run.info.status == "FINISHED"
    names = {"training/loss": "loss", "training/rec": "rec", "validation/ndcg_at_10": "ndcg@10"}
    for name, found in {**names, "learning_rate": "learning_rate"}.items():
        assert curve(place, run, name) == column(structured, found)
    assert list(curve(place, run, "epochs_per_second")) == [1, 2, 3]
    assert (run.data.params["dim"], run.data.params["model"]) == ("16", "sasrec")
    assert run.info.run_name.startswith("sasrec-")
    assert not Path("mlruns").exists()


def test_a_run_that_begins_anew_is_another_run(structured, options, place):
    short = replace(options, epochs=1, log_name="tonight")
    train(short, workdir=structured)
    train(short, workdir=structured, force=True)
    assert [(run.info.run_name, run.info.status) for run in runs(place)] == [("tonight", "FINISHED")] * 2


def test_a_place_that_is_none_is_named(structured, options):
    with pytest.raises(DataError, match=r"MLflow at nowhere://x cannot be used: .*\nCheck --log-to or MLFLOW_TRACKING"):
        train(replace(options, log_to="nowhere://x"), workdir=structured)


def test_what_the_server_did_not_take_is_sent_later(place, monkeypatch):
    reporter = Recorder()
    writer = MlflowWriter(Shown("r", "k", {"dim": 8}, place, 0), reporter)
    sent = MlflowClient.log_batch

    def broken(self, *args, **values):
        raise MlflowException("connection refused")

    monkeypatch.setattr(MlflowClient, "log_batch", broken)
    writer.write(1, {"training/loss": 2.0})
    assert reporter.warnings == [f"MLflow at {place} did not take epoch 1 and gets it later: connection refused"]
    monkeypatch.setattr(MlflowClient, "log_batch", sent)
    writer.write(2, {"training/loss": 1.0})
    [run] = runs(place)
    assert curve(place, run, "training/loss") == {1: 2.0, 2: 1.0}
    monkeypatch.setattr(MlflowClient, "log_batch", broken)
    writer.write(3, {"training/loss": 0.5})
    writer.close("FINISHED", {})
    assert reporter.warnings[-1].endswith("connection refused; epochs that it lacks: 3")
