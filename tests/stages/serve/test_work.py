import numpy as np

from stages.serve.work import Asked


def test_what_is_left_out(snapshot):
    history, exclude = np.array([1, 2], np.int32), np.array([3], np.int32)
    assert Asked(snapshot, history, 5, False, exclude=exclude).left_out.tolist() == [3]
    assert sorted(Asked(snapshot, history, 5, True, exclude=exclude).left_out.tolist()) == [1, 2, 3]
    assert Asked(snapshot, history, 5, False).left_out.tolist() == []
