import pytest

from stages.train.forecast import forecast
from stages.train.options import TrainOptions


@pytest.mark.parametrize(
    ("seconds", "epoch", "options", "told"),
    [
        (0.1, 1, {}, None),
        (1.0, 199, {}, None),
        (2.0, 1, {}, "an epoch takes 2.0 s: 10 s to 7 min left"),
        (60.0, 1, {}, "an epoch takes 60 s: 5 min to 3.3 h left"),
        (60.0, 1, {"patience": 2}, "an epoch takes 60 s: 2 min to 3.3 h left"),
        (60.0, 1, {"epochs": 3}, "an epoch takes 60 s: 2 min to 2 min left"),
    ],
)
def test_what_is_left(seconds, epoch, options, told):
    said = forecast(seconds, epoch, TrainOptions(**options), 100)
    assert said is told is None or said.startswith(told)


def test_a_quicker_preset_is_named_where_the_default_takes_long():
    assert "--preset light" in forecast(60.0, 1, TrainOptions(), 100)
    assert "--preset light" not in forecast(2.0, 1, TrainOptions(), 100)
    assert "--preset light" not in forecast(60.0, 1, TrainOptions(dim=64), 100)
