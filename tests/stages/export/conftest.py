"""A trained work directory, and one that was exported."""

import shutil
from pathlib import Path

import pytest
import torch
from exporting import trained_in

from stages.artifacts.histories import Histories, read_histories
from stages.artifacts.names import HISTORIES
from stages.export import ExportOptions, export
from stages.export.vectors import Reader
from stages.model.files import load_model


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory: pytest.TempPathFactory, make_structured) -> Path:
    """A work directory with a trained model; not to be changed."""
    return trained_in(make_structured(tmp_path_factory.mktemp("trained") / "artifacts"))


@pytest.fixture(scope="session")
def exported_once(trained_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same after an export of everything; not to be changed."""
    folder = Path(shutil.copytree(trained_once, tmp_path_factory.mktemp("exported") / "artifacts"))
    export(ExportOptions(device="cpu"), workdir=folder)
    return folder


@pytest.fixture
def trained(trained_once: Path, tmp_path: Path) -> Path:
    """A copy of the first."""
    return Path(shutil.copytree(trained_once, tmp_path / "artifacts"))


@pytest.fixture
def exported(exported_once: Path, tmp_path: Path) -> Path:
    """A copy of the second."""
    return Path(shutil.copytree(exported_once, tmp_path / "artifacts"))


@pytest.fixture(scope="session")
def reader(trained_once: Path) -> Reader:
    """Reads histories with the model."""
    model = load_model(trained_once, torch.device("cpu")).model
    return Reader(model, model.item_tables()[0], 64)


@pytest.fixture(scope="session")
def histories(trained_once: Path) -> Histories:
    """Of all users."""
    return read_histories(trained_once / HISTORIES)
