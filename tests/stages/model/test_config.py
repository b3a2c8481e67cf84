import json
from pathlib import Path

import pytest
from models import config_of

from stages.artifacts.errors import DataError, UsageError
from stages.model.config import ModelConfig

EARLIER = Path(__file__).parents[2] / "data" / "models-0.1"


def test_read_what_was_written():
    config = config_of("unisrec", 7, views=2, text_dim=8, with_ids=True)
    assert ModelConfig.from_dict(json.loads(json.dumps(config.to_dict())), Path("config.json")) == config


@pytest.mark.parametrize("model", ["cocorec", "text", "codes", "sasrec", "transitions", "popularity"])
def test_configurations_of_version_0_1(model):
    written = json.loads((EARLIER / model / "config.json").read_text())["model"]
    config = ModelConfig.from_dict(written, Path("config.json"))
    assert (written["kind"], written["text_dimension"]) == (config.model, config.text_dim)
    assert config.backbone == "transformer"
    kept = {name: value for name, value in written.items() if name not in ("kind", "text_dimension")}
    assert kept.items() <= config.to_dict().items()


@pytest.mark.parametrize("change", [{"kind": "bert"}, {"size": 3}, {"dim": 15}])
def test_configurations_that_are_not_known(change):
    written = json.loads((EARLIER / "cocorec" / "config.json").read_text())["model"]
    with pytest.raises(DataError, match=r"there/config.json: not the configuration of a model"):
        ModelConfig.from_dict({**written, **change}, Path("there/config.json"))


def test_a_missing_size_is_not_guessed():
    values = config_of("sasrec", 7).to_dict()
    del values["experts"]
    with pytest.raises(DataError, match="experts"):
        ModelConfig.from_dict(values, Path("config.json"))


@pytest.mark.parametrize(
    ("sizes", "named"),
    [
        ({"dim": 15}, "--heads 2 does not divide --dim 15"),
        ({"fusion_heads": 3}, "--fusion-heads 3"),
        ({"dropout": 1.0}, "--dropout"),
        ({"experts": 0}, "--experts must be at least 1"),
        ({"backbone": "rnn"}, r"--backbone 'rnn' is unknown\nChoose one of transformer"),
    ],
)
def test_sizes_that_fit_no_model(sizes, named):
    with pytest.raises(UsageError, match=named):
        config_of("sasrec", 7, **sizes)


def test_heads_of_fusion_matter_where_there_is_fusion():
    assert config_of("sasrec", 7, fusion_heads=3, fusion_layers=0).fusion_heads == 3
