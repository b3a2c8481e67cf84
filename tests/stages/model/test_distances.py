from collections import defaultdict

import numpy as np
import pytest
import torch

from stages.artifacts.sequences import Sequences
from stages.model.distances import backward_weight, weighted_pairs

HISTORIES = [[1, 2, 3], [2, 1], [1, 2, 4], [3], [4, 4, 1, 2]]


def test_pairs_against_walks_through_the_histories():
    ends = np.array([len(history) - 1 for history in HISTORIES])  # the last item of each is no training item
    offsets = np.concatenate([[0], np.cumsum(ends + 1)])
    items = np.array([item for history in HISTORIES for item in history], dtype=np.int32)
    found = weighted_pairs(Sequences(items, offsets, ends, ends + 1), 5, 2)
    back, expected, occurred = float(found.backward), defaultdict(float), [0.0] * 6
    for history in HISTORIES:
        training = history[:-1]
        for at, earlier in enumerate(training):
            occurred[earlier] += 1
            for distance, later in enumerate(training[at + 1 : at + 3], 1):
                expected[earlier * 6 + later] += distance**-0.5
                expected[later * 6 + earlier] += back * distance**-0.5
    assert found.keys.tolist() == sorted(expected)
    assert found.times.tolist() == pytest.approx([expected[key] for key in sorted(expected)])
    assert found.occurrences.tolist() == occurred


def test_order_is_weighed_by_what_neighbours_show():
    def weight(*histories: list[int]) -> float:
        items = torch.tensor([item for history in histories for item in history])
        lengths = torch.tensor([len(history) for history in histories])
        return float(backward_weight(items, torch.repeat_interleave(torch.arange(len(histories)), lengths), 9))

    assert weight([1, 2], [1, 2], [1, 2]) == 0  # always in this order
    assert weight([1, 2], [2, 1], [1, 2], [2, 1]) == 1  # in either, and never less than as often
    assert weight([1, 2], [3, 4]) == 1  # nothing was met again
