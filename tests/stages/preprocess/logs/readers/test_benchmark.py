"""Published splits: NAME.train.csv, NAME.valid.csv, NAME.test.csv."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from published import HEADER, last_out, rows_of
from reasons import counts_dropped

from stages.artifacts.errors import DataError, UsageError
from stages.preprocess.logs.readers import LOG_READERS
from stages.preprocess.sources.formats import choose_reader
from stages.preprocess.sources.sample import take_sample

Write = Callable[..., Path]
Run = Callable[..., Any]
SEQUENCE = list("abcdefg")


def test_any_of_the_three_files_finds_the_others(run: Run, publish: Callable[..., Path]) -> None:
    train = publish(*last_out(SEQUENCE, range(5)), suffix=".gz")
    expected = run(train).users
    for part in ("valid", "test"):
        assert run(train.with_name(f"Tools.{part}.csv.gz"), force=True).users == expected
    everything = [train.with_name(f"Tools.{part}.csv.gz") for part in ("test", "train", "valid")]
    assert run(*everything, force=True).users == expected


def test_compressed_and_plain_files_mix(run: Run, publish: Callable[..., Path], write: Write) -> None:
    parts = last_out(SEQUENCE, range(5))
    train = publish(*parts, suffix=".gz")
    train.with_name("Tools.valid.csv.gz").unlink()
    write("Tools.valid.csv", [HEADER, *parts[1]])
    assert run(train).users == {"u": SEQUENCE}


def test_split_by_time_leaves_users_with_any_number_of_targets(run: Run, publish: Callable[..., Path]) -> None:
    made = run(
        publish(
            rows_of("both", SEQUENCE, range(3)) + rows_of("train", list("ab"), range(2)),
            rows_of("both", SEQUENCE, [3, 4]),
            rows_of("both", SEQUENCE, [5, 6])
            + rows_of("test", list("xyz"), range(3))
            + rows_of("skip", list("pq"), [1]),
        )
    )
    assert made.users == {"both": SEQUENCE, "train": ["a", "b"], "test": list("xyz"), "skip": ["p", "q"]}
    # An item that was only ever history, before the first target, is for training.
    assert made.parts == {"both": (3, 5), "train": (2, 2), "test": (0, 0), "skip": (1, 1)}
    assert made.facts["users_without_training_items"] == 1
    assert made.facts["users_for_training_only"] == 1
    assert made.facts["test_items_not_in_training"] == 6  # f, g, x, y, z, q


def test_short_users_of_zero_core_files(run: Run, publish: Callable[..., Path]) -> None:
    train, valid, test = [], [], []
    for user, items in (("a", ["a"]), ("b", ["a", "b"]), ("c", ["a", "b", "c"])):
        rows = rows_of(user, items, range(len(items)))
        test += rows[-1:]
        valid += rows[-2:-1]
        train += rows[:-2]
    made = run(publish(train, valid, test))
    assert made.parts == {"a": (0, 0), "b": (0, 1), "c": (1, 2)}


def test_without_histories_times_decide(run: Run, write: Write) -> None:
    header = "user_id,parent_asin,rating,timestamp"
    write("T.valid.csv", [header, "u,c,5,30"])
    write("T.test.csv", [header, "u,d,5,40"])
    train = write("T.train.csv", [header, "u,b,5,20", "u,a,5,10", "u,a2,5,10"])
    made = run(train)
    assert made.users == {"u": ["a", "a2", "b", "c", "d"]}
    assert made.parts == {"u": (3, 4)}
    assert made.times == {"u": [10, 10, 20, 30, 40]}


def test_k_core_on_a_published_split_keeps_the_parts(run: Run, publish: Callable[..., Path]) -> None:
    users = {f"u{i}": [*"abcd", f"own{i}", "e"] for i in range(3)}
    parts = [[row for user, seq in users.items() for row in rows_of(user, seq, p)] for p in (range(4), [4], [5])]
    made = run(publish(*parts), k_core=2)
    assert made.users == {user: list("abcde") for user in users}
    assert made.parts == dict.fromkeys(users, (4, 4))  # the validation item fell to the filter
    assert counts_dropped(made.facts) == {"interactions outside the 2-core": 3}


def test_time_that_is_no_time_is_refused(run: Run, publish: Callable[..., Path]) -> None:
    train, valid, test = last_out(SEQUENCE, range(5))
    with pytest.raises(DataError, match=r"Tools\.train\.csv.*column 'timestamp' holds 'noon'"):
        run(publish([row.replace("1002", "noon") for row in train], valid, test))


def test_missing_part_is_named(run: Run, publish: Callable[..., Path]) -> None:
    train = publish(*last_out(SEQUENCE, range(5)))
    train.with_name("Tools.valid.csv").unlink()
    with pytest.raises(DataError, match=r"Tools\.valid\.csv does not exist"):
        run(train)


def test_files_of_two_splits_are_refused(run: Run, publish: Callable[..., Path]) -> None:
    parts = last_out(SEQUENCE, range(5))
    with pytest.raises(UsageError, match="belong to different splits"):
        run(publish(*parts, name="A"), publish(*parts, name="B"))


def test_ratings_cannot_filter_histories(run: Run, publish: Callable[..., Path]) -> None:
    with pytest.raises(UsageError, match="--rating-min"):
        run(publish(*last_out(SEQUENCE, range(5))), rating_min=3)
    with pytest.raises(UsageError, match="--where cannot be used with a published split"):
        run(publish(*last_out(SEQUENCE, range(5))), where="rating > 3")


def test_one_part_alone_can_be_read_as_a_table(run: Run, publish: Callable[..., Path]) -> None:
    made = run(publish(*last_out(SEQUENCE, range(5))), format="table", k_core=0)
    assert made.users == {"u": SEQUENCE[:5]}
    assert made.facts["split"] == "leave-one-out"


def test_recognised_by_name_and_columns(publish: Callable[..., Path], write: Write) -> None:
    train = publish(*last_out(SEQUENCE, range(5)))
    assert choose_reader(LOG_READERS, [take_sample(train)], "auto", "--format").name == "amazon-2023-benchmark"
    other = write("ratings.csv", ["user_id,parent_asin,rating,timestamp", "u,a,1,1"])
    assert choose_reader(LOG_READERS, [take_sample(other)], "auto", "--format").name == "amazon-2023-ratings"
    with pytest.raises(UsageError, match="is not named like"):
        choose_reader(LOG_READERS, [take_sample(other)], "amazon-2023-benchmark", "--format").complete(
            [take_sample(other)]
        )


TIME = 1_400_000_000


@pytest.mark.parametrize("history", [True, False])
@pytest.mark.parametrize("kind", ["last_out", "timestamp"])
def test_every_kind_of_amazon_2023_benchmark(run: Run, write: Write, kind: str, history: bool) -> None:
    # u lives through the split, w comes after training ended: only a split by time has such users.
    events = {"u": "abcdef"} | ({"w": "cd"} if kind == "timestamp" else {"w": "abc"})
    rows: dict[str, list[str]] = {"train": [], "valid": [], "test": []}
    for user, items in events.items():
        for n, item in enumerate(items):
            late = n - len(items) if kind == "last_out" or user == "u" else n - 2
            part = {-2: "valid", -1: "test"}.get(late, "train")
            rows[part].append(f"{user},{item},5.0,{TIME + n}" + (f",{' '.join(items[:n])}" if history else ""))
    header = "user_id,parent_asin,rating,timestamp" + (",history" if history else "")
    for part, lines in rows.items():
        write(f"T.{part}.csv.gz", [header, *lines])
    made = run(write("T.train.csv.gz", [header, *rows["train"]]))
    assert made.facts["format"] == "amazon-2023-benchmark"
    assert made.users == {user: list(items) for user, items in events.items()}
    assert made.parts == {"u": (4, 5), "w": (0, 1) if kind == "timestamp" else (1, 2)}
