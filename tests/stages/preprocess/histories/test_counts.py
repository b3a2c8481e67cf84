import numpy as np
import pytest

from stages.preprocess.histories.counts import SequenceCounts

NONE = np.zeros(1, np.bool_)


def of_lengths(lengths: list[int]) -> SequenceCounts:
    return SequenceCounts(np.bincount(lengths), NONE, NONE, NONE, 0, 0, 0, 0, 0)


@pytest.mark.parametrize("users", [1, 2, 3, 7, 40, 41, 1_000])
def test_quantiles_are_those_of_all_lengths(users: int) -> None:
    lengths = np.random.default_rng(users).geometric(0.2, users)
    shares = {"min": 0.0, "p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95, "max": 1.0}
    expected = {name: int(np.quantile(lengths, share, method="inverted_cdf")) for name, share in shares.items()}
    found = of_lengths(lengths.tolist()).facts(5)
    assert {name: found["history_length"][name] for name in shares} == expected
    assert (found["users"], found["interactions"]) == (users, int(lengths.sum()))


def test_counts_of_users_apart_add_up() -> None:
    seen = [np.array([False, one, other]) for one, other in ((True, False), (False, True))]
    one = SequenceCounts(np.array([0, 0, 1]), seen[0], seen[0], seen[1], 1, 1, 0, 1, 0)
    other = SequenceCounts(np.array([0, 2, 0, 0, 3]), seen[1], seen[1], seen[0], 6, 3, 2, 0, 1)
    for both in (one.merged(other), other.merged(one)):
        assert both.lengths.tolist() == [0, 2, 1, 0, 3]
        assert both.trained.tolist() == both.tested.tolist() == [False, True, True]
        assert (both.held, both.tests, both.training_only, both.without_training, both.without_times) == (7, 4, 2, 1, 1)
        assert (both.users, both.interactions, both.taken) == (6, 16, 2)
