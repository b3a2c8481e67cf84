"""Users' sequences put together again from rows of a target and the items before it."""

import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from published import last_out, rows_of

from stages.artifacts.errors import DataError

Write = Callable[..., Path]
Run = Callable[..., Any]
SEQUENCE = list("abcdefg")


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize(
    "train",
    [range(5), range(1, 5), [4, 2, 0, 3, 1], [4], [2, 4]],
    ids=["every prefix", "first item never a target", "any order", "one row per user", "gaps"],
)
def test_whole_histories(run: Run, publish: Callable[..., Path], train: Iterable[int], suffix: str) -> None:
    made = run(publish(*last_out(SEQUENCE, train), suffix=suffix))
    assert made.users == {"u": SEQUENCE}
    assert made.parts == {"u": (5, 6)}
    assert made.facts["split"] == "published"
    assert made.facts["k_core"] == 0
    # Times are known only where every item is somebody's target.
    assert made.times == {"u": [1000 + i for i in range(7)] if len(list(train)) == 5 else None}


@pytest.mark.parametrize("step", [1, -1], ids=["oldest first", "newest first"])
@pytest.mark.parametrize("cut", [1, 2, 3, 6, 7])
def test_cut_histories(run: Run, publish: Callable[..., Path], cut: int, step: int) -> None:
    sequence = list("abacabadaba")  # repeats, so that windows look alike
    train = list(range(1, len(sequence) - 2))[::step]
    made = run(publish(*last_out(sequence, train, cut)))
    assert made.users == {"u": sequence}
    assert made.parts == {"u": (9, 10)}


def test_contradicting_histories_are_refused(run: Run, publish: Callable[..., Path]) -> None:
    train = publish(["u,b,,1,a", "u,d,,3,a x c"], ["u,e,,4,a b c d"], ["u,f,,5,a b c d e"])
    with pytest.raises(DataError, match=r"Tools.train.csv: the histories of user 'u' contradict each other"):
        run(train)


def test_parts_out_of_order_are_refused(run: Run, publish: Callable[..., Path]) -> None:
    train = publish(rows_of("u", SEQUENCE, [1, 6]), rows_of("u", SEQUENCE, [4]), rows_of("u", SEQUENCE, [5]))
    with pytest.raises(DataError, match="item 'g' of user 'u' comes after items of a later part"):
        run(train)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(st.text("uv", min_size=1, max_size=3), st.lists(st.sampled_from("abc"), min_size=3), min_size=1),
    st.integers(0, 99),
)
def test_any_sequences_survive_publishing(
    run: Run, publish: Callable[..., Path], users: dict[str, list[str]], seed: int
) -> None:
    parts: list[list[str]] = [[], [], []]
    for user, items in users.items():
        n = len(items)
        for part, positions in enumerate((range(n - 2), [n - 2], [n - 1])):
            parts[part] += rows_of(user, items, positions)
    for rows in parts:
        random.Random(seed).shuffle(rows)
    made = run(publish(*parts), force=True)
    assert made.users == users
    assert made.parts == {user: (len(items) - 2, len(items) - 1) for user, items in users.items()}
