from dataclasses import replace
from pathlib import Path

import pytest
import torch
from models import config_of

from stages.artifacts.errors import DataError
from stages.model.popularity import Popularity
from stages.model.sasrec import SASRec
from stages.model.shapes import require_fitting_weights

CONFIG = config_of("sasrec", 9)
FILES = Path("w/config.json"), Path("w/model.safetensors")


@pytest.fixture
def weights():
    return SASRec(CONFIG).state_dict()


def test_weights_of_the_configuration_fit(weights):
    state = torch.get_rng_state()
    require_fitting_weights(SASRec, CONFIG, weights, *FILES)
    assert torch.equal(torch.get_rng_state(), state)  # nothing is drawn


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"items": 8}, r"tensor 'encoder.table' is \[10, 16\], not \[9, 16\]"),
        ({"repeat_bias": False}, "tensor 'repeats.by_age' is none of this model"),
        ({"layers": 3}, r"tensor 'backbone.layers.2.* is missing"),
        ({"layers": 10**6}, r"tensors are not those of 1,000,002 layers"),
        ({"items": 10**9, "dim": 2 * 10**9, "heads": 1}, "overflow"),  # beyond 64 bits, in words of torch
    ],
)
def test_a_configuration_of_other_sizes_is_refused(weights, change, message):
    with pytest.raises(DataError, match=rf"w/model.safetensors does not fit w/config.json: .*{message}") as refused:
        require_fitting_weights(SASRec, replace(CONFIG, **change), weights, *FILES)
    assert refused.value.hint == "Run `cocorec train --force` to train again."


def test_a_missing_and_a_strange_tensor_are_named(weights):
    without = {name: tensor for name, tensor in weights.items() if name != "encoder.table"}
    with pytest.raises(DataError, match=r"tensor 'encoder\.table' is missing"):
        require_fitting_weights(SASRec, CONFIG, without, *FILES)
    with pytest.raises(DataError, match="tensor 'extra' is none of this model"):
        require_fitting_weights(SASRec, CONFIG, {**weights, "extra": torch.zeros(1)}, *FILES)


def test_models_that_count_are_left_alone():
    require_fitting_weights(Popularity, config_of("popularity", 9), {}, *FILES)
