import numpy as np
import pytest

from stages.artifacts.names import SEQUENCES
from stages.artifacts.sequences import read_sequences, training_interactions
from stages.model.files import read_config
from stages.train import TrainOptions, train
from stages.train import sizes as rule
from stages.train.sizes import LARGE, SIZES, sized


def chosen(options):
    return {name: getattr(options, name) for name in SIZES}


@pytest.mark.parametrize(("interactions", "at"), [(0, 0), (LARGE - 1, 0), (LARGE, 1)])
def test_what_is_not_named_follows_the_data(interactions, at):
    assert chosen(sized(TrainOptions(), interactions)) == {name: sizes[at] for name, sizes in SIZES.items()}


def test_what_is_named_stays_and_a_model_to_start_from_decides():
    assert chosen(sized(TrainOptions(text_dim=8), LARGE)) == {"text_dim": 8, "fusion_ffn_dim": 512}
    there = {"text_dim": 16, "fusion_ffn_dim": 32}
    assert chosen(sized(TrainOptions(text_dim=8), LARGE, there)) == {"text_dim": 8, "fusion_ffn_dim": 32}
    assert chosen(sized(TrainOptions(), LARGE, {"text_dim": 0, "fusion_ffn_dim": 32}))["text_dim"] == 384


def test_a_run_counts_its_interactions_and_a_warm_start_keeps_its_sizes(structured, small, tmp_path, monkeypatch):
    path = structured / SEQUENCES
    found = read_sequences(path)
    count = training_interactions(path)
    assert count == int(np.sum(found.train_end)) > 0
    monkeypatch.setattr(rule, "SIZES", {"text_dim": (4, 8), "fusion_ffn_dim": (16, 24)})
    monkeypatch.setattr(rule, "LARGE", count)
    options = {**small, "model": "text", "epochs": 1, "text_dim": None, "fusion_ffn_dim": None}
    train(TrainOptions(**options), workdir=structured)
    config = read_config(structured)
    assert (config.text_dim, config.fusion_ffn_dim) == (8, 24)
    monkeypatch.setattr(rule, "LARGE", count + 1)
    train(TrainOptions(**options, init_from=structured), workdir=structured)
    assert read_config(structured).text_dim == 8
    train(TrainOptions(**options), workdir=structured)
    config = read_config(structured)
    assert (config.text_dim, config.fusion_ffn_dim) == (4, 16)
