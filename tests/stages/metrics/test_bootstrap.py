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
