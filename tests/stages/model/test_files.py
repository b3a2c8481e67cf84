"""Models that earlier versions trained load, and say what they said."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from models import config_of
from safetensors.torch import load_file

from stages.artifacts.errors import DataError
from stages.artifacts.lineage import Lineage
from stages.artifacts.names import MODEL_DIR, SEQUENCES
from stages.artifacts.sequences import read_sequences
from stages.model.files import load_model, save_model
from stages.model.ranking import queries, rank

EARLIER = Path(__file__).parents[2] / "data" / "models-0.1"
"""Trained by version 0.1 on the fixture ``structured``, with the ranks and some scores that it gave."""


@pytest.mark.parametrize("name", ["cocorec", "text", "codes", "sasrec", "transitions", "popularity"])
def test_models_of_version_0_1(structured, name):
    shutil.copytree(EARLIER / name, structured / MODEL_DIR)
    expected = load_file(EARLIER / name / "expected.safetensors")
    trained = load_model(structured, torch.device("cpu"))
    assert trained.model.config.model == name
    assert trained.lineage.options["model"] == name
    sequences = read_sequences(structured / SEQUENCES)
    wanted = queries(sequences, "test", trained.model.config.max_history)
    ranking = rank(trained.model, torch.from_numpy(sequences.items.astype(np.int64)), wanted, top=5)
    np.testing.assert_allclose(ranking.scores[:50], expected["scores"], atol=1e-5)
    # Scores that nearly tie may change places on another processor.
    assert (ranking.ranks == expected["ranks"].numpy()).mean() > 0.99


def test_weights_that_are_not_those_of_the_configuration(structured):
    shutil.copytree(EARLIER / "sasrec", structured / MODEL_DIR)
    for model in ("cooccurrence", "transitions", "popularity", "sasrec"):
        config = config_of(model, 60, dim=32)
        save_model(structured, config, {"weights": torch.zeros(3)}, Lineage("train", {}, {}))
        with pytest.raises(DataError, match=r"model.safetensors does not fit .*config.json"):
            load_model(structured, torch.device("cpu"))


def test_a_model_of_another_catalogue(structured):
    tensors = load_file(EARLIER / "transitions" / "model.safetensors")
    save_model(structured, config_of("transitions", 61), tensors, Lineage("train", {}, {}))
    with pytest.raises(DataError, match=r"the model knows 61 items .* has 60"):
        load_model(structured, torch.device("cpu"))
