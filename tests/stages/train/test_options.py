import pytest

from stages.artifacts.errors import UsageError
from stages.train.options import TrainOptions


@pytest.mark.parametrize(("steps", "epochs"), [(1, 20), (13, 20), (18, 14), (50, 5), (51, 5), (10_000, 5)])
def test_short_epochs_are_waited_for_longer(steps, epochs):
    options = TrainOptions()
    assert options.waits(steps) == epochs
    assert not options.over(2 + epochs - 1, 2, steps)
    assert options.over(2 + epochs, 2, steps)


def test_heads_divide_the_width_where_there_are_such_layers():
    with pytest.raises(UsageError, match="--heads 2 does not divide --dim 7"):
        TrainOptions(dim=7).check()
    TrainOptions(dim=7, heads=1).check()
    with pytest.raises(UsageError, match="--fusion-heads 2 does not divide --dim 7"):
        TrainOptions(dim=7, heads=1, fusion_layers=1).check()


def test_patience_and_epochs_are_taken_at_their_word():
    assert TrainOptions(patience=3).waits(1) == 3
    assert TrainOptions(epochs=7).over(7, 7, 1)
    assert not TrainOptions(epochs=7).over(0, 0, 1)
