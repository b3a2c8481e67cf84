import numpy as np

from stages.metrics.bootstrap import bootstrap_means, intervals


def test_bootstrap_agrees_with_the_normal_approximation():
    rng = np.random.default_rng(0)
    values = rng.random((2000, 2))
    low, high = intervals(bootstrap_means(values, samples=2000, seed=1))
    half = 1.96 * values.std(0) / np.sqrt(2000)
    np.testing.assert_allclose(low, values.mean(0) - half, atol=0.1 * half.max())
    np.testing.assert_allclose(high, values.mean(0) + half, atol=0.1 * half.max())


def test_users_of_few_kinds_are_drawn_by_kind_to_the_same_effect(monkeypatch):
    rng = np.random.default_rng(0)
    values = rng.choice([0.0, 0.5, 1.0], size=(4000, 2))
    by_kind = intervals(bootstrap_means(values, samples=4000, seed=1))
    monkeypatch.setattr("stages.metrics.users.ALIKE", 10**6)
    by_user = intervals(bootstrap_means(values, samples=4000, seed=1))
    width = (by_user[1] - by_user[0]).max()
    np.testing.assert_allclose(by_kind, by_user, atol=0.06 * width)
    assert (np.array(by_kind) != np.array(by_user)).any()
