"""Trained work directories, and a server of one."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from served import Served, serving
from whole_histories import write_histories

from stages.frame.reporter import Reporter
from stages.serve.options import ServeOptions
from stages.serve.snapshot import Snapshot, load_snapshot
from stages.train import TrainOptions, train

SIZES = {"dim": 16, "ffn_dim": 32, "fusion_ffn_dim": 32, "text_dim": 8, "layers": 1, "fusion_layers": 1}


@pytest.fixture(scope="session")
def train_small():
    """Trains a small model in a work directory."""

    def run(folder: Path, **options: object) -> None:
        usual = {"epochs": 1, "batch_size": 64, "max_history": 6, "learning_rate": 0.01, "device": "cpu"}
        train(TrainOptions(**{**usual, **SIZES, **options}), workdir=folder)
        shutil.rmtree(folder / "model" / "checkpoint", ignore_errors=True)

    return run


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory: pytest.TempPathFactory, make_structured, train_small) -> Path:
    """A work directory with a trained model; not to be changed."""
    folder = make_structured(tmp_path_factory.mktemp("served") / "artifacts")
    write_histories(folder)
    train_small(folder)
    return folder


@pytest.fixture
def trained(trained_once: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(trained_once, tmp_path / "artifacts"))


@pytest.fixture(scope="session")
def options() -> ServeOptions:
    return ServeOptions(device="cpu")


@pytest.fixture(scope="session")
def snapshot(trained_once: Path, options: ServeOptions) -> Snapshot:
    """Of :func:`trained_once`."""
    return load_snapshot(trained_once, options, Reporter())


@pytest.fixture(scope="session")
def server(trained_once: Path) -> Iterator[Served]:
    """A server with the usual limits."""
    with serving(trained_once, "--with=title") as served:
        yield served


@pytest.fixture(scope="session")
def narrow(trained_once: Path) -> Iterator[Served]:
    """A server whose limits are reached at once."""
    limits = ("--request-seconds=0.6", "--max-waiting=2", "--max-body=2", "--max-ids=5", "--max-top=20")
    with serving(trained_once, *limits, "--max-connections=12") as served:
        yield served
