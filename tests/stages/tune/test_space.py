import pytest

from stages.artifacts.errors import UsageError
from stages.frame.options import defaults
from stages.model.registry import MODELS, model_class
from stages.quantize import QuantizeOptions, quantize
from stages.train import TrainOptions, train
from stages.tune.space import Choice, Range, SearchedStage, read_space

STAGES = {"quantize": SearchedStage(QuantizeOptions, quantize), "train": SearchedStage(TrainOptions, train)}


def test_ranges_and_choices():
    space = read_space({"train": {"dropout": {"low": 0.1, "high": 0.5}, "dim": [64, 128]}}, STAGES)
    assert space.dimensions == {("train", "dropout"): Range(0.1, 0.5), ("train", "dim"): Choice((64, 128))}
    assert space.stages == {"train"}


@pytest.mark.parametrize(
    ("dimension", "inside", "outside"),
    [
        (Range(0.1, 0.5), [0.1, 0.3, 0.5], [0.09, 0.6, True, "0.3", None]),
        (Range(2, 8, step=2), [2, 4, 8], [3, 10]),
        (Range(0.1, 0.7, step=0.2), [0.1, 0.3, 0.7], [0.2]),
        (Choice((64, 128)), [64], [65]),
    ],
)
def test_what_is_in_it(dimension, inside, outside):
    assert all(value in dimension for value in inside)
    assert not any(value in dimension for value in outside)


SEARCHED = [name for name in MODELS if model_class(name).searched]


@pytest.mark.parametrize("model", SEARCHED)
def test_what_a_model_searches_holds_the_defaults(model):

    for (stage, option), dimension in read_space({"train": model_class(model).searched}, STAGES).dimensions.items():
        assert defaults(STAGES[stage].options)[option] in dimension


def test_models_without_options_have_nothing_to_search():
    assert set(MODELS) - set(SEARCHED) == {"transitions", "popularity"}


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        ({}, "search space is empty"),
        ({"evaluate": {"seed": [1]}}, "stage 'evaluate' is unknown"),
        ({"train": {"dropuot": [0.1]}}, r"no option 'dropuot'\nThere are model, backbone, dim, .*dropout"),
        ({"train": {"seed": [1, 2]}}, r"train.seed cannot be searched\n.*--seeds"),
        ({"train": {"device": ["cpu"]}}, "train.device cannot be searched"),
        ({"train": {"workdir": ["x"]}}, "no option 'workdir'"),
        ({"train": {"dropout": 0.1}}, "needs a list of values, or low and high, not 0.1"),
        ({"train": {"dropout": []}}, "needs a list of values"),
        ({"train": {"dim": [64, 64]}}, "names a value twice"),
        ({"train": {"dropout": {"low": 0.1}}}, "Give low and high"),
        ({"train": {"dropout": {"low": 0.1, "high": 0.5, "base": 2}}}, "Give low and high"),
        ({"train": {"dropout": {"low": "a", "high": 0.5}}}, "not a number"),
        ({"train": {"dropout": {"low": 0.5, "high": 0.5}}}, "low 0.5 is not below high 0.5"),
        ({"train": {"dropout": {"low": 0.0, "high": 0.5, "log": True}}}, "has no logarithm"),
        ({"train": {"dropout": {"low": 0.1, "high": 0.5, "log": True, "step": 0.1}}}, "step 0.1 does not fit"),
        ({"train": {"dim": {"low": 16, "high": 64, "step": 0.5}}}, "step 0.5 does not fit"),
    ],
)
def test_what_does_not_fit_is_named(tables, expected):
    with pytest.raises(UsageError, match=expected):
        read_space(tables, STAGES)
