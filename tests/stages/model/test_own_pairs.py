import pytest
import torch

from stages.model.own_pairs import OwnPairs
from stages.model.packing import Packing

HISTORIES = [[4, 2, 4, 7], [7], [3, 3]]
FOLLOWING = [2, 5, 3]


def laid_out(following: bool) -> OwnPairs:
    items = torch.tensor([item for history in HISTORIES for item in history])
    packing = Packing.of_lengths(torch.tensor([len(history) for history in HISTORIES]))
    return OwnPairs.of(items, packing, torch.tensor(FOLLOWING) if following else None)


def test_the_item_that_follows_comes_last():
    assert laid_out(True).items.tolist() == [[4, 2, 4, 7, 2], [7, 5, 0, 0, 0], [3, 3, 3, 0, 0]]
    assert laid_out(False).items.tolist() == [[4, 2, 4, 7], [7, 0, 0, 0], [3, 3, 0, 0]]


def test_repeats_are_known():
    own = laid_out(True)
    assert own.repeated.tolist() == [[0, 0, 1, 0, 1], [0] * 5, [0, 1, 1, 0, 0]]
    assert own.occurrences.tolist() == [[2, 2, 2, 1, 2], [1, 1, 0, 0, 0], [3, 3, 3, 0, 0]]


@pytest.mark.parametrize("furthest", [1, 2, 9])
def test_each_meeting_counts_by_its_distance(furthest):
    own, back = laid_out(True), 0.25
    times = own.times(torch.tensor(back), furthest)
    for row, history in enumerate([[*h, f] for h, f in zip(HISTORIES, FOLLOWING, strict=True)]):
        for a, first in enumerate(history):
            for b, second in enumerate(history):
                expected = sum(
                    abs(q - p) ** -0.5 * (1 if q > p else back)
                    for p, x in enumerate(history)
                    for q, y in enumerate(history)
                    if (x, y) == (first, second) and 0 < abs(q - p) <= furthest
                )
                assert float(times[row, a, b]) == pytest.approx(expected, abs=1e-6), (row, a, b)
