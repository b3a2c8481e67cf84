from collections import Counter

import numpy as np
import pytest

from stages.metrics.users import ALIKE, kinds


def test_each_kind_and_how_often_it_occurs() -> None:
    rows = np.random.default_rng(0).integers(0, 3, (500, 2)) / 2
    found = kinds(rows)
    assert found is not None
    distinct, counts = found
    assert dict(zip(map(tuple, distinct.tolist()), counts.tolist(), strict=True)) == Counter(map(tuple, rows.tolist()))
    np.testing.assert_allclose(counts @ distinct, rows.sum(axis=0))


@pytest.mark.parametrize("distinct", [1, 5])
def test_too_many_kinds_are_not_counted(distinct: int) -> None:
    rows = np.repeat(np.arange(distinct, dtype=np.float64)[:, None], ALIKE, axis=0)
    found = kinds(rows)
    assert found is not None
    assert found[1].tolist() == [ALIKE] * distinct
    assert kinds(rows[1:]) is None


def test_a_row_is_of_a_kind_in_all_its_metrics() -> None:
    half = np.zeros((ALIKE, 2))
    found = kinds(np.concatenate([half, half + np.array([0, 1])]))
    assert found is not None
    assert found[0].tolist() == [[0, 0], [0, 1]]
