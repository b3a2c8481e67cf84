import numpy as np
import pytest
from whole_histories import write_histories

from stages.artifacts.errors import DataError
from stages.artifacts.histories import read_histories
from stages.artifacts.names import HISTORIES, SEQUENCES
from stages.artifacts.sequences import read_sequences
from stages.recommend.popular import count_items_taken, most_popular, popularity_file


def test_all_histories_come_before_those_that_were_learnt_from(structured):
    assert popularity_file(structured) == structured / SEQUENCES
    write_histories(structured)
    assert popularity_file(structured) == structured / HISTORIES


def test_counts_are_those_of_the_file(structured):
    learnt = read_sequences(structured / SEQUENCES).items.tolist()
    assert count_items_taken(structured, 60).tolist() == [learnt.count(item) for item in range(1, 61)]
    write_histories(structured)
    whole = read_histories(structured / HISTORIES).items.tolist()
    assert count_items_taken(structured, 60).tolist() == [whole.count(item) for item in range(1, 61)]


def test_without_histories_it_is_not_known(tmp_path):
    assert popularity_file(tmp_path) is None
    with pytest.raises(DataError, match=r"without .*histories\.parquet or .*sequences\.parquet it is not known"):
        count_items_taken(tmp_path, 3)


def test_items_beyond_the_catalogue_are_refused(structured):
    with pytest.raises(DataError, match=r"sequences\.parquet"):
        count_items_taken(structured, 5)


def test_the_most_popular_are_the_best_of_a_plain_sort():
    counts = np.random.default_rng(0).integers(0, 5, 40)
    items, taken = most_popular(counts, 12, None)
    expected = sorted(range(1, 41), key=lambda item: (-counts[item - 1], item))[:12]
    assert (items.tolist(), items.dtype) == (expected, np.int32)
    assert (taken.tolist(), taken.dtype) == ([counts[item - 1] for item in expected], np.float32)


def test_where_fewer_may_be_recommended_the_rest_is_empty():
    allowed = np.array([False, True, False, True, False])
    items, taken = most_popular(np.array([0, 9, 3, 9]), 3, allowed)
    assert (items.tolist(), taken.tolist()) == ([3, 1, 0], [3, 0, 0])
