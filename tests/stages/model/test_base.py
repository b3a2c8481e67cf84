import numpy as np

from stages.artifacts.sequences import Sequences
from stages.model.base import training_items


def test_training_items_leave_out_what_is_to_be_found():
    items = np.array([1, 2, 3, 4, 5, 6], np.int32)
    sequences = Sequences(items, np.array([0, 3, 3, 6]), np.array([1, 0, 2]), np.array([2, 0, 2]))
    found, users = training_items(sequences)
    assert found.tolist() == [1, 4, 5]
    assert users.tolist() == [0, 2, 2]
