import numpy as np
import pytest

from stages.artifacts.errors import CocorecError
from stages.export.check import consumer_scores, difference, read_sample, repeat_bias
from stages.export.vectors import item_vectors


def test_scores_by_vectors_and_repeat_bias_are_the_models(reader, histories):
    sample = read_sample(reader, histories)
    vectors, bias = item_vectors(reader.model, reader.model.item_tables()[1]), repeat_bias(reader)
    assert len(bias) == reader.length and len(set(bias)) > 1
    assert difference("scores", consumer_scores(sample.items, sample.vectors, vectors, bias), sample.scores) < 1e-6
    # The bias is no small thing: without it scores are others.
    assert np.abs(consumer_scores(sample.items, sample.vectors, vectors, []) - sample.scores).max() > 1e-3


def test_an_item_that_was_taken_twice_is_as_old_as_the_last_time():
    scores = consumer_scores(np.array([[1, 2, 1, 3, 0]]), np.zeros((1, 2)), np.zeros((4, 2)), [0.1, 0.2, 0.4, 0.8, 1.6])
    np.testing.assert_allclose(scores, [[0.2, 0.4, 0.1, 0]])


@pytest.mark.parametrize("wrong", [np.full((2, 3), 2e-5), np.full((2, 3), np.nan)])
def test_what_differs_is_a_mistake_of_ours(wrong):
    with pytest.raises(CocorecError, match="differs from the model") as caught:
        difference("user_encoder.onnx", wrong, np.zeros((2, 3), np.float32))
    assert caught.value.exit_code == 1
