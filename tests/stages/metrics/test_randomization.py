import itertools

import numpy as np
import pytest

from stages.metrics.bootstrap import bootstrap_means, intervals
from stages.metrics.randomization import holm, randomization_test


def _p(differences, samples=10_000, seed=0):
    differences = np.asarray(differences, float).reshape(len(differences), -1)
    return randomization_test(differences, samples=samples, seed=seed)


def test_few_users_are_counted_exactly():
    differences = np.array([0.5, 0.25, -0.125, 0.75, 0.1])
    sums = [abs(np.dot(signs, differences)) for signs in itertools.product((1, -1), repeat=5)]
    expected = np.mean(np.array(sums) >= abs(differences.sum()) - 1e-12)
    assert _p(differences)[0] == pytest.approx(expected)
    # All in one direction: only the observed and its mirror image are as far.
    assert _p([1.0] * 8)[0] == 2 / 2**8


def test_rounding_does_not_hide_equal_sums():
    # 0.1 + 0.2 + 0.3 differs from 0.3 + 0.2 + 0.1 in the last digit; all 2 of 8 sums as far must be counted.
    assert _p([0.1, 0.2, 0.3])[0] == 2 / 8
    assert _p([0.3, -0.1, -0.2])[0] == 1


def test_equal_runs_have_p_1_and_users_who_do_not_differ_do_not_matter():
    assert _p(np.zeros((50, 2))).tolist() == [1, 1]
    differences = np.random.default_rng(0).normal(size=30)
    padded = np.concatenate([differences, np.zeros(1000)])
    assert _p(padded) == _p(differences)


def test_random_swaps_agree_with_the_normal_approximation():
    rng = np.random.default_rng(1)
    differences = rng.normal(0.07, 1, size=1000)
    z = abs(differences.sum()) / np.sqrt((differences**2).sum())
    from math import erfc, sqrt

    assert _p(differences, samples=40_000)[0] == pytest.approx(erfc(z / sqrt(2)), abs=0.006)


def test_users_of_few_kinds_are_drawn_by_kind_to_the_same_effect(monkeypatch):
    differences = np.random.default_rng(6).choice([-0.5, 0, 0.25, 1], size=(3000, 2), p=[0.3, 0.4, 0.2, 0.1])
    by_kind = _p(differences, samples=20_000)
    monkeypatch.setattr("stages.metrics.users.ALIKE", 10**6)
    by_user = _p(differences, samples=20_000)
    assert by_kind == pytest.approx(by_user, abs=0.015)
    assert (by_kind != by_user).any()
    assert (by_user > 0.02).all()


def test_the_smallest_p_is_one_in_samples_plus_one():
    assert _p(np.ones(200), samples=999)[0] == 1 / 1000


def test_same_seed_same_p_and_memory_bound_does_not_matter(monkeypatch):
    import stages.metrics.randomization as module

    differences = np.random.default_rng(3).normal(0.1, 1, size=(100, 2))
    first = _p(differences, samples=500)
    assert (_p(differences, samples=500) == first).all()
    assert (_p(differences, samples=500, seed=1) != first).any()
    monkeypatch.setattr(module, "_CELLS", 700)
    assert (_p(differences, samples=500) == first).all()


def test_without_a_difference_p_is_uniform_and_intervals_cover():
    # 400 experiments in which the truth is no difference: p below 0.05, and 0 outside the interval, about 20 times.
    rng = np.random.default_rng(4)
    below = outside = 0
    for experiment in range(400):
        # Skewed like differences of NDCG: mostly nothing, now and then up to one.
        differences = rng.choice([-1, 1], 150) * rng.exponential(0.3, 150) * (rng.random(150) < 0.5)
        below += _p(differences, samples=200, seed=experiment)[0] <= 0.05
        means = bootstrap_means(differences[:, None], samples=200, seed=experiment)
        low, high = intervals(means)
        outside += not low[0] <= 0 <= high[0]
    # Binomial(400, 0.05): mean 20, deviation 4.4.
    assert 7 <= below <= 33
    assert 7 <= outside <= 36


def test_a_difference_is_found():
    rng = np.random.default_rng(5)
    assert _p(rng.normal(0.5, 1, 200))[0] < 0.001


def test_holm_against_values_by_hand():
    # Sorted .01 .02 .03 .04 times 4 3 2 1 is .04 .06 .06 .04, made monotone .04 .06 .06 .06.
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.5, 0.4, 0.001]) == pytest.approx([0.8, 0.8, 0.003])
    assert holm([0.9, 0.8]) == pytest.approx([1, 1])
    assert holm([0.2]) == pytest.approx([0.2])
    assert holm([]).tolist() == []
