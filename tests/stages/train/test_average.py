import pytest
import torch
from models import config_of

from stages.model.sasrec import SASRec
from stages.train.average import WeightAverage


@pytest.fixture
def model():
    torch.manual_seed(0)
    return SASRec(config_of("sasrec", 5, dim=4, ffn_dim=8))


def step(model):
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter))


def weights(model):
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def test_average_of_a_long_run(model):
    average = WeightAverage(model, 0.5)
    expected = None
    for count in range(30):
        step(model)
        average.update(model)
        # The first update takes the weights as they are; the decay then rises to its value.
        decay = min(0.5, (1 + count) / (10 + count))
        expected = weights(model) if expected is None else decay * expected + (1 - decay) * weights(model)
    torch.testing.assert_close(weights(average.model), expected)


def test_no_decay_follows_the_model(model):
    average = WeightAverage(model, 0.0)
    for _ in range(3):
        step(model)
        average.update(model)
    torch.testing.assert_close(weights(average.model), weights(model))


def test_restored_average_goes_on_alike(model):
    one = WeightAverage(model, 0.9)
    for _ in range(4):
        step(model)
        one.update(model)
    other = WeightAverage(model, 0.9)
    other.restore(one.state())
    step(model)
    one.update(model)
    other.update(model)
    assert torch.equal(weights(one.model), weights(other.model))
