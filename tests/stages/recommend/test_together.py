"""What the first process hands out is what the others rank; real processes: ``robustness/test_processes.py``."""

from collections import deque
from contextlib import contextmanager

import numpy as np
import pytest

from stages.artifacts.histories import read_histories
from stages.artifacts.names import HISTORIES
from stages.model.team import ALONE, Team
from stages.recommend import RecommendOptions
from stages.recommend.recommender import Recommender
from stages.recommend.together import Lead, agreed, follow


class Taped(Team):
    """Keeps what the first process tells, for another one to hear."""

    def __init__(self):
        super().__init__()
        self.tape = deque()
        self.hears = False

    def tell(self, number):
        if self.hears:
            return self.tape.popleft()
        self.tape.append(number)
        return number

    def hand_out(self, numbers):
        if numbers is None:
            return self.tape.popleft()
        self.tape.append(numbers.long())
        return numbers


@pytest.fixture
def team(recommender):
    """In the place of the processes of the model."""
    recommender.model.team = Taped()
    yield recommender.model.team
    recommender.model.team = ALONE


@contextmanager
def noted(monkeypatch):
    """The lists that are made inside the block, with their arguments."""
    made, original = [], Recommender.lists

    def lists(self, items, offsets, *, progress, **options):
        found = original(self, items, offsets, progress=progress, **options)
        made.append((items, offsets, options, found))
        return found

    with monkeypatch.context() as patch:
        patch.setattr(Recommender, "lists", lists)
        yield made


@pytest.mark.parametrize("filtered", [True, False])
def test_the_others_make_the_same_lists(recommender, trained_once, team, monkeypatch, filtered):
    histories = read_histories(trained_once / HISTORIES)
    allowed = np.arange(61) % 3 == 1 if filtered else None
    options, done = RecommendOptions(top=4, exclude_seen=True), []
    with noted(monkeypatch) as ours:
        lead = Lead(options, recommender, allowed)
        for low in (0, 5):
            offsets = histories.offsets[low : low + 6]
            lead.lists(histories.items[offsets[0] : offsets[-1]], offsets - offsets[0], done.append)
        lead.done()
    assert sum(done) == 10
    team.hears = True
    with noted(monkeypatch) as theirs:
        follow(options, recommender)
    assert not team.tape and len(ours) == len(theirs) == 2
    for (items, offsets, given, found), (told, bounds, heard, same) in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(told, items)
        np.testing.assert_array_equal(bounds, offsets)
        np.testing.assert_array_equal(heard.pop("allowed"), given.pop("allowed"))
        assert told.dtype == items.dtype and heard == given
        np.testing.assert_array_equal(same.items, found.items)


def test_the_first_process_says_whether_there_is_work(team):
    assert agreed(team, {"a": "b"}, work=True)
    assert not agreed(team, {"a": "b"}, work=False)
    team.hears = True
    assert [agreed(team, {"a": "b"}) for _ in range(2)] == [True, False]


def test_one_process_hands_nothing_anywhere(recommender, trained_once):
    histories = read_histories(trained_once / HISTORIES)
    lead = Lead(RecommendOptions(top=4), recommender, None)
    found = lead.lists(histories.items, histories.offsets)
    expected = recommender.lists(histories.items, histories.offsets, top=4)
    np.testing.assert_array_equal(found.items, expected.items)
    lead.done()
