import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.preprocess.histories.k_core import k_core

Pairs = list[tuple[int, int]]


def plain_k_core(pairs: Pairs, k: int) -> list[bool]:
    """By the definition: remove one offender at a time until there is none."""
    kept = list(range(len(pairs)))
    while True:
        users = [pairs[i][0] for i in kept]
        items = [pairs[i][1] for i in kept]
        offender = next((i for i in kept if users.count(pairs[i][0]) < k or items.count(pairs[i][1]) < k), None)
        if offender is None:
            return [i in kept for i in range(len(pairs))]
        kept.remove(offender)


def run(pairs: Pairs, k: int) -> tuple[list[bool], int]:
    users, items = np.array(pairs, np.uint32).reshape(-1, 2).T
    mask, rounds = k_core(users, items, k)
    return mask.tolist(), rounds


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=40), st.integers(1, 5))
def test_equals_removing_offenders_one_by_one(pairs: Pairs, k: int) -> None:
    assert run(pairs, k)[0] == plain_k_core(pairs, k)


def test_a_chain_is_removed_round_by_round() -> None:
    # Each user holds on to the next item alone: taking the end away unravels all of it.
    chain = [(i, i + d) for i in range(6) for d in (0, 1)]
    mask, rounds = run(chain, 2)
    assert not any(mask)
    assert rounds > 2


@pytest.mark.parametrize("k", [1, 2])
def test_what_is_dense_enough_stays(k: int) -> None:
    square = [(u, i) for u in range(3) for i in range(3)]
    assert run(square, k) == ([True] * 9, 0)
