import numpy as np

from stages.metrics.bootstrap import bootstrap_means, intervals


def test_bootstrap_agrees_with_the_normal_approximation():
    rng = np.random.default_rng(0)
    values = rng.random((2000, 2))
    low, high = intervals(bootstrap_means(values, np.arange(2000), samples=2000, seed=1))
    half = 1.96 * values.std(0) / np.sqrt(2000)
    np.testing.assert_allclose(low, values.mean(0) - half, atol=0.1 * half.max())
    np.testing.assert_allclose(high, values.mean(0) + half, atol=0.1 * half.max())


def test_bootstrap_draws_users_not_targets():
    # Ten targets of one user tell no more than one: intervals must not shrink by repeating them.
    rng = np.random.default_rng(0)
    values = rng.random((300, 1))
    once = bootstrap_means(values, np.arange(300), samples=500, seed=2)
    tenfold = bootstrap_means(np.repeat(values, 10, 0), np.repeat(np.arange(300), 10), samples=500, seed=2)
    np.testing.assert_allclose(once, tenfold)


def test_users_of_few_kinds_are_drawn_by_kind_to_the_same_effect(monkeypatch):
    rng = np.random.default_rng(0)
    values = rng.choice([0.0, 0.5, 1.0], size=(4000, 2))
    users = np.minimum(np.arange(4000), 2999)  # one user has a thousand targets, which the mean counts
    users[3000:3010] = np.arange(10)
    by_kind = intervals(bootstrap_means(values, users, samples=4000, seed=1))
    monkeypatch.setattr("stages.metrics.users.ALIKE", 10**6)
    by_user = intervals(bootstrap_means(values, users, samples=4000, seed=1))
    width = (by_user[1] - by_user[0]).max()
    np.testing.assert_allclose(by_kind, by_user, atol=0.06 * width)
    assert (np.array(by_kind) != np.array(by_user)).any()
