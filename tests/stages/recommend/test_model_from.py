"""``recommend --model-from``: with the model of another work directory."""

import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from growth import grow

from stages.artifacts.errors import DataError
from stages.artifacts.names import MODEL_WEIGHTS, RECOMMENDATIONS
from stages.model.files import load_tensors, save_tensors
from stages.recommend import Recommender, RecommendOptions, recommend


@pytest.fixture
def downloaded(trained, tmp_path):
    """The model of a work directory, taken out of it; the work directory has none any more."""
    return shutil.move(trained / "model", tmp_path / "downloaded")


def options(folder):
    return RecommendOptions(model_from=folder, top=5, device="cpu")


def test_the_lists_are_those_of_the_model(trained_once, trained, downloaded):
    expected = Recommender.load(trained_once, device="cpu").recommend([["item-001"], ["item-004", "item-007"]], 5)
    loaded = Recommender.load(trained, device="cpu", model_from=downloaded)
    assert loaded.recommend([["item-001"], ["item-004", "item-007"]], 5) == expected
    result = recommend(options(downloaded), workdir=trained)
    assert result.facts["users"] == pq.read_metadata(trained / RECOMMENDATIONS).num_rows == 300


def test_it_runs_again_where_the_model_is_another_one(trained, downloaded):
    assert not recommend(options(downloaded), workdir=trained).skipped
    assert recommend(options(downloaded), workdir=trained).skipped
    before = pq.read_table(trained / RECOMMENDATIONS)["scores"].to_pylist()
    tensors, metadata = load_tensors(downloaded / "model.safetensors")
    save_tensors(
        downloaded / "model.safetensors", {**tensors, "repeats.by_age": tensors["repeats.by_age"] - 1}, metadata
    )
    assert not recommend(options(downloaded), workdir=trained).skipped
    assert not np.allclose(before, pq.read_table(trained / RECOMMENDATIONS)["scores"].to_pylist())


def test_new_items_are_said(trained, downloaded, said):
    grow(trained)
    recommend(options(downloaded), workdir=trained, reporter=said)
    assert "2 items came after cocorec was trained" in said.warnings[0]


def test_the_model_of_the_work_directory_is_not_looked_at(trained_once, trained):
    (trained / MODEL_WEIGHTS).write_bytes(b"damaged")
    assert recommend(options(trained_once), workdir=trained).facts["users"] == 300


def test_no_model_there(trained, tmp_path):
    with pytest.raises(DataError, match=r"--model-from: .*nothing does not exist"):
        recommend(options(tmp_path / "nothing"), workdir=trained)
