from pathlib import Path

import pytest

from stages.frame.log_place import log_place


def test_places_lie_in_the_work_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert log_place("tensorboard", Path("w")) == "w/tensorboard"
    assert log_place("mlflow", tmp_path) == f"sqlite:///{tmp_path}/mlflow.db"


def test_the_environment_names_the_server_of_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example")
    assert log_place("mlflow", Path("w")) == "https://mlflow.example"
