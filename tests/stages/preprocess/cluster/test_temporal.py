import numpy as np

from stages.preprocess.cluster.partition import Rest, Rows
from stages.preprocess.cluster.temporal import count_times, cut, look

ROWS = Rows(np.array([0, 0, 0, 1, 1, 2], np.uint32), np.array([4, 5, 6, 4, 4, 7], np.uint32))
REST = Rest(np.array([10, 20, 30, 21, 31, 5]), None, None, b"")
KEPT = np.array([True, True, True, True, True, False])


def test_what_is_seen_of_times_is_of_those_that_are_kept() -> None:
    assert look(REST, None) == (6, 0, 5, 31)
    assert look(REST, KEPT) == (5, 0, 10, 31)
    unknown = Rest(REST.times, ~KEPT, None, b"")
    assert look(unknown, None)[1] == 1
    assert look(unknown, KEPT)[1] == 0
    assert look(REST, np.zeros(6, np.bool_)) == (0, 0, 0, 0)


def test_times_by_bins() -> None:
    counts = count_times(REST, KEPT, 10, 10)
    assert counts[:4].tolist() == [1, 2, 2, 0]
    assert counts.sum() == 5
    assert count_times(REST, None, 11, 1).sum() == 4  # those before are not counted


def test_parts_and_targets_of_a_partition() -> None:
    rest, mask, (gone, alone, (items, counts)) = cut(ROWS, REST, KEPT, 20, 30, "first")
    assert rest.parts is not None
    assert rest.parts.tolist() == [0, 1, 2, 1, 2, 0]
    assert (mask.tolist(), gone) == (KEPT.tolist(), 0)
    assert alone == {"valid_targets_without_history": 1, "test_targets_without_history": 0}
    assert (items.tolist(), counts.tolist()) == ([4, 5, 6], [3, 1, 1])
    _, mask, (gone, *_) = cut(ROWS, REST, None, 20, 100, "last")
    assert (mask.tolist(), gone) == ([True, False, True, False, True, True], 2)
