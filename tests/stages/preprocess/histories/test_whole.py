"""``histories.parquet``: all of every user, whatever filters leave of the log."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from reasons import counts_dropped

from stages.artifacts.fingerprints import Fingerprints
from stages.artifacts.histories import read_histories
from stages.artifacts.lineage import read_lineage
from stages.artifacts.names import HISTORIES, ITEMS
from stages.artifacts.tables import read_table

Write = Callable[..., Path]
Run = Callable[..., Any]
HEADER = "user_id,item_id,timestamp,rating"
LOG = {
    "a": ["x1", "y2", "x3", "y4", "x5"],
    "c": ["y1", "x2", "y3"],
    "b": ["x9"],  # outside the 2-core
    "d": ["z4", "x6", "x2"],  # the only one to take z
    "e": ["z7"],
}


@pytest.fixture
def log(write: Write) -> Path:
    rows = [f"{user},{step[0]},{step[1:]},{5 if step != 'y4' else 1}" for user, steps in LOG.items() for step in steps]
    return write("log.csv", [HEADER, *rows])


def histories(workdir: Path) -> dict[str, list[str]]:
    """Item and time of each step by user, in the order of the file."""
    ids = read_table(workdir / ITEMS)["item_id"].to_pylist()
    rows = read_table(workdir / HISTORIES).to_pylist()
    found = read_histories(workdir / HISTORIES, items=len(ids))
    assert found.users == len(rows)
    return {
        row["user_id"]: [
            f"{ids[item - 1]}{'' if row['timestamps'] is None else row['timestamps'][n]}"
            for n, item in enumerate(row["items"])
        ]
        for row in rows
    }


def test_users_that_filters_keep_out_are_there(run: Run, log: Path, tmp_path: Path) -> None:
    made = run(log, k_core=2)
    assert sorted(made.users) == ["a", "c", "d"]
    found = histories(tmp_path / "work")
    # z is no item of the catalogue, and e has nothing else.
    assert found == {"a": LOG["a"], "b": ["x9"], "c": LOG["c"], "d": ["x2", "x6"]}
    assert list(found) == sorted(found)
    assert made.facts["histories"] == {"users": 4, "interactions": 11, "interactions_with_other_items": 2}


def test_a_sample_of_users_and_since_choose_what_is_learnt_from_alone(run: Run, log: Path, tmp_path: Path) -> None:
    whole = {**LOG, "d": ["x2", "z4", "x6"]}
    run(log, k_core=0, sample_users=4, seed=1, workdir=tmp_path / "sample")
    found = histories(tmp_path / "sample")
    known = {step[0] for steps in found.values() for step in steps}
    assert {user: steps for user, steps in found.items() if user != "e"} == {
        user: [step for step in steps if step[0] in known] for user, steps in whole.items() if user != "e"
    }
    made = run(log, k_core=0, since="5", workdir=tmp_path / "since")
    assert sorted(made.users) == ["a", "b", "d", "e"]
    assert counts_dropped(made.facts)["interactions outside --since 5"] == 9
    # y was taken before alone, so it is no item of the catalogue.
    found = histories(tmp_path / "since")
    assert found == {"a": ["x1", "x3", "x5"], "b": ["x9"], "c": ["x2"], "d": ["x2", "z4", "x6"], "e": ["z7"]}


def test_what_comes_after_until_or_was_not_liked_is_left_out(run: Run, log: Path, tmp_path: Path) -> None:
    run(log, k_core=0, until="6", rating_min=2.0)
    found = histories(tmp_path / "work")
    assert found == {"a": ["x1", "y2", "x3", "x5"], "c": LOG["c"], "d": ["x2", "z4"]}


def test_repeated_rows_count_once(run: Run, write: Write, tmp_path: Path) -> None:
    run(write("log.csv", [HEADER, "u,x,1,5", "u,y,1,5", "u,x,1,5", "u,x,2,5"]), k_core=0)
    assert histories(tmp_path / "work") == {"u": ["x1", "y1", "x2"]}


def test_all_targets_of_a_temporal_split_and_cold_items_stay(run: Run, log: Path, tmp_path: Path) -> None:
    cuts = {"split": "temporal", "valid_from": "3", "test_from": "5", "targets": "first"}
    run(log, k_core=0, workdir=tmp_path / "cut", **cuts)
    run(log, k_core=0, cold_items=0.3, workdir=tmp_path / "cold")
    assert histories(tmp_path / "cut")["a"] == histories(tmp_path / "cold")["a"] == LOG["a"]


def test_a_published_split(run: Run, publish: Callable[..., Path], tmp_path: Path) -> None:
    train = publish(["u,a,5,1,", "u,b,5,2,a", "v,b,5,1,"], ["u,c,5,3,a b"], ["u,a,5,4,a b c"])
    run(train)
    assert histories(tmp_path / "work") == {"u": ["a1", "b2", "c3", "a4"], "v": ["b1"]}
    assert read_table(tmp_path / "work" / HISTORIES).num_rows == 2


def test_times_that_are_unknown_are_null(run: Run, write: Write, tmp_path: Path) -> None:
    run(write("log.csv", ["user_id,item_id", "u,a", "u,b", "v,b"]), k_core=0)
    assert read_table(tmp_path / "work" / HISTORIES)["timestamps"].null_count == 2
    assert histories(tmp_path / "work") == {"u": ["a", "b"], "v": ["b"]}


def test_the_lineage_names_the_items(run: Run, log: Path, tmp_path: Path) -> None:
    run(log, k_core=0)
    lineage = read_lineage(tmp_path / "work" / HISTORIES)
    assert lineage and lineage.stage == "preprocess"
    assert lineage.inputs[ITEMS] == Fingerprints(tmp_path).of_contents(tmp_path / "work" / ITEMS)
