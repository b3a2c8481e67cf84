"""RecBole's atomic files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from events import EVENTS, EXPECTED, TIME

from stages.artifacts.errors import DataError, UsageError

Write = Callable[..., Path]
Run = Callable[..., Any]
RECBOLE = ["user_id:token\titem_id:token\trating:float\ttimestamp:float"]


def test_recbole_single_events(run: Run, write: Write) -> None:
    log = write("x.inter", RECBOLE + [f"{u}\t{i}\t{5 - t}\t{TIME + t}.0" for u, i, t in EVENTS])
    lines = ['A\tSaw 5" "new\tTools Saws\t1995\t3.5', "B\t\tAxes\t\t"]
    items = write("x.item", ["item_id:token\ttitle:token_seq\tclass:token_seq\tyear:token\tprice:float", *lines])
    made = run(log, items=[items], k_core=0)
    assert (made.facts["format"], made.facts["items_format"]) == ("recbole", "recbole")
    assert made.users == EXPECTED
    assert made.items == {"A": {"title": 'Saw 5" "new', "class": "Tools Saws"}, "B": {"title": None, "class": "Axes"}}
    assert run(log, items=[items], views=["year"], k_core=0).items["A"] == {"year": "1995"}
    assert run(log, k_core=0, rating_min=3).users == {"u": ["A", "B"], "v": ["B"]}


def test_recbole_split_of_single_events(run: Run, write: Write) -> None:
    header = "user_id:token\titem_id:token"
    for part, items in (("valid", "d"), ("test", "e"), ("train", "bac")):
        path = write(f"x.{part}.inter", [header, *(f"u\t{item}" for item in items)])
    made = run(path)
    assert (made.facts["format"], made.users["u"], made.parts["u"]) == ("recbole-benchmark", list("bacde"), (3, 4))


SEQUENCES = "user_id:token\titem_id_list:token_seq\titem_id:token"


@pytest.fixture
def sequences(write: Write) -> Path:
    write("x.valid.inter", [SEQUENCES, "7\t0 1 2\t0"])
    write("x.test.inter", [SEQUENCES, "7\t0 1 2 0\t3"])
    return write("x.train.inter", [SEQUENCES, "7\t0 1\t2", "7\t0\t1"])


def test_recbole_sequences(run: Run, sequences: Path, write: Write) -> None:
    made = run(sequences)
    assert (made.facts["format"], made.facts["split"]) == ("recbole-benchmark", "published")
    assert (made.users, made.parts) == ({"7": list("01203")}, {"7": (3, 4)})
    write("x.item2index", [f"{item}\t{n}" for n, item in enumerate(["Z9", "Y", "X x", "W"])])
    write("x.user2index", ["somebody\t7"])
    assert run(sequences).users == {"somebody": ["Z9", "Y", "X x", "Z9", "W"]}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["Z\t0", "Y\t1", "X\t2"], r"x\.item2index has no line for '3', which is in the log"),
        (["Z\t0", "Y\t0", "X\t2", "W\t3"], r"x\.item2index: line 1: '0' is there more than once"),
        (["Z\t0", "Y\t1", "Z\t2", "W\t3"], r"x\.item2index: line 1: 'Z' is there more than once"),
        (["Z\t0", "Y", "X\t2", "W\t3"], r"x\.item2index: line 2: None is .*missing"),
    ],
)
def test_ids_that_do_not_fit_the_numbers(
    run: Run, sequences: Path, write: Write, lines: list[str], message: str
) -> None:
    write("x.item2index", lines)
    with pytest.raises(DataError, match=message):
        run(sequences)


def test_sequences_under_another_name_are_not_taken_for_events(run: Run, write: Write) -> None:
    with pytest.raises(UsageError, match=r"not named like NAME\.train\.inter"):
        run(write("all.inter", [SEQUENCES, "7\t0 1\t2"]))
