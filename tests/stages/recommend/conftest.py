"""Trained work directories."""

import shutil
from pathlib import Path

import pytest
from recording import Recorder
from whole_histories import write_histories

from stages.recommend import Recommender
from stages.train import TrainOptions, train

SIZES = {"dim": 16, "ffn_dim": 32, "fusion_ffn_dim": 32, "text_dim": 8, "layers": 1, "fusion_layers": 1}


@pytest.fixture
def said() -> Recorder:
    return Recorder()


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory: pytest.TempPathFactory, make_structured) -> Path:
    """A work directory with a trained model; not to be changed."""
    folder = make_structured(tmp_path_factory.mktemp("trained") / "artifacts")
    write_histories(folder)
    options = TrainOptions(
        model="cocorec",
        epochs=3,
        batch_size=64,
        warmup_steps=5,
        max_history=6,
        learning_rate=0.01,
        device="cpu",
        **SIZES,
    )
    train(options, workdir=folder)
    shutil.rmtree(folder / "model" / "checkpoint")
    return folder


@pytest.fixture
def trained(trained_once: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(trained_once, tmp_path / "artifacts"))


@pytest.fixture(scope="session")
def recommender(trained_once: Path) -> Recommender:
    """Of :func:`trained_once`."""
    return Recommender.load(trained_once, device="cpu")
