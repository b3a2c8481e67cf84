"""Items that training never sees."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reasons import counts_dropped

from stages.artifacts.errors import DataError
from stages.artifacts.names import SEQUENCES
from stages.artifacts.sequences import read_sequences

Write = Callable[..., Path]
Run = Callable[..., Any]
ITEMS = 20


@pytest.fixture
def log(write: Write) -> Path:
    rng = np.random.default_rng(0)
    rows = [f"u{u},i{rng.integers(ITEMS):02},{n}" for u in range(60) for n in range(8)]
    return write("log.csv", ["user_id,item_id,timestamp", *rows])


def parts(workdir: Path) -> tuple[set[int], set[int]]:
    """Items that occur in training, and those that are targets."""
    found = read_sequences(workdir / SEQUENCES)
    place = np.arange(len(found.items)) - np.repeat(found.offsets[:-1], np.diff(found.offsets))
    trained = place < np.repeat(found.train_end, np.diff(found.offsets))
    return set(found.items[trained].tolist()), set(found.items[~trained].tolist())


def test_drawn_items_leave_training_and_stay_targets(run: Run, log: Path, tmp_path: Path) -> None:
    plain = run(log, k_core=0, workdir=tmp_path / "plain")
    made = run(log, k_core=0, cold_items=0.25, workdir=tmp_path / "cold")
    trained, targets = parts(tmp_path / "cold")
    assert list(made.items) == list(plain.items)  # all stay candidates, with their numbers
    assert len(trained) == 15
    assert targets == parts(tmp_path / "plain")[1]
    cold = {id_ for number, id_ in enumerate(made.items, 1) if number not in trained}
    for user, items in plain.users.items():
        train_end = plain.parts[user][0]
        kept = [item for item in items[:train_end] if item not in cold]
        assert made.users[user] == kept + items[train_end:]
        assert made.parts[user] == (len(kept), len(kept) + 1)
    counts = made.facts["held_out_items"]
    held = [[plain.users[user][-back] for user in plain.users] for back in (2, 1)]
    assert counts == {
        "items": 5,
        "training_interactions": plain.facts["train_interactions"] - made.facts["train_interactions"],
        "valid_targets": sum(item in cold for item in held[0]),
        "test_targets": sum(item in cold for item in held[1]),
        "users_without_other_items": 0,
    }
    assert counts_dropped(made.facts) == {"training interactions of cold items": counts["training_interactions"]}


def test_the_seed_decides_which(run: Run, log: Path, tmp_path: Path) -> None:
    drawn = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        run(log, k_core=0, cold_items=0.25, seed=seed, workdir=tmp_path / name)
        drawn.append(parts(tmp_path / name)[0])
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_user_of_whom_nothing_is_left_is_counted(run: Run, write: Write) -> None:
    rows = ["u,a,1", "u,b,2", *(f"v{n},{item},{time}" for n in range(4) for time, item in enumerate("bcdb"))]
    log = write("log.csv", ["user_id,item_id,timestamp", *rows, "w,a,1", "w,a,2"])
    for seed in range(50):  # until the item of w is drawn
        made = run(log, k_core=0, cold_items=0.2, seed=seed)
        if "w" not in made.users:
            break
    assert made.facts["held_out_items"]["users_without_other_items"] == 1
    assert made.users["u"] == ["b"]
    assert made.facts["users"] == 5


def test_a_temporal_split_counts_the_targets_that_lost_their_history(run: Run, write: Write) -> None:
    rows = ["u,a,1", "u,b,5", *(f"v{n},{item},{time}" for n in range(3) for time, item in enumerate("bcdebcb"))]
    log = write("log.csv", ["user_id,item_id,timestamp", *rows])
    cuts = {"split": "temporal", "valid_from": 4, "test_from": 6, "k_core": 0}
    for seed in range(50):
        made = run(log, cold_items=0.2, seed=seed, **cuts)
        if made.parts["u"] == (0, 1):
            break
    assert made.facts["valid_targets_without_history"] == 1


def test_a_share_that_leaves_no_training(run: Run, write: Write) -> None:
    log = write("log.csv", ["user_id,item_id,timestamp", "u,a,1", "u,a,2", "u,a,3"])
    with pytest.raises(DataError, match=r"--cold-items 0\.5 takes all 1 interactions out of training") as caught:
        run(log, k_core=0, cold_items=0.5)
    assert caught.value.hint == "Lower the share."
