"""The split by points in time that hold for all users."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reasons import counts_dropped

from stages.artifacts.errors import UsageError
from stages.artifacts.names import SEQUENCES
from stages.artifacts.sequences import read_sequences
from stages.model.ranking import queries

Write = Callable[..., Path]
Run = Callable[..., Any]
DAY = 86_400
START = 1_600_000_000  # 2020-09-13T12:26:40Z
HEADER = "user_id,item_id,timestamp"
# Items by day: u lives through all parts, v ends in training, w comes in validation, x in test.
DAYS = {"u": {0: "a", 1: "b", 10: "c", 11: "d", 20: "e", 21: "f"}, "v": {2: "a", 3: "c"}, "w": {12: "b", 22: "g"}}
DAYS["x"] = {23: "h", 24: "a"}
CUTS = {"split": "temporal", "k_core": 0, "valid_from": START + 5 * DAY, "test_from": START + 15 * DAY}


@pytest.fixture
def log(write: Write) -> Path:
    rows = [f"{user},{item},{START + day * DAY}" for user, days in DAYS.items() for day, item in days.items()]
    return write("log.csv", [HEADER, *rows[::-1]])


def test_all_targets_keep_every_interaction(run: Run, log: Path) -> None:
    made = run(log, targets="all", **CUTS)
    assert made.users == {user: list(days.values()) for user, days in DAYS.items()}
    assert made.parts == {"u": (2, 4), "v": (2, 2), "w": (0, 1), "x": (0, 0)}
    facts = made.facts
    assert (facts["split"], facts["targets"], facts["time_unit"]) == ("temporal", "all", "s")
    assert (facts["valid_from"], facts["test_from"]) == (START + 5 * DAY, START + 15 * DAY)
    assert [facts[f"{part}_interactions"] for part in ("train", "valid", "test")] == [4, 3, 5]
    assert (facts["valid_targets_without_history"], facts["test_targets_without_history"]) == (1, 2)
    assert facts["users_without_training_items"] == 2
    assert facts["test_items_not_in_training"] == 4  # e, f, g, h
    assert counts_dropped(facts) == {}
    assert any("2 of 5 test targets belong to users without earlier items" in warning for warning in made.warnings)


@pytest.mark.parametrize(
    ("targets", "u", "x", "items"),
    [("first", list("abce"), ["h"], "abcegh"), ("last", list("abdf"), ["a"], "abcdfg")],
)
def test_one_target_a_user(run: Run, log: Path, targets: str, u: list[str], x: list[str], items: str) -> None:
    made = run(log, targets=targets, **CUTS)
    assert made.users == {"u": u, "v": ["a", "c"], "w": ["b", "g"], "x": x}
    assert made.parts == {"u": (2, 3), "v": (2, 2), "w": (0, 1), "x": (0, 0)}
    assert "".join(made.items) == items  # items that only were left out have no number
    assert counts_dropped(made.facts) == {f"interactions that are not the {targets} target": 3}


def test_first_is_the_default(run: Run, log: Path) -> None:
    assert run(log, **CUTS).users["u"] == list("abce")


def test_targets_are_ranked_from_what_was_known_before(run: Run, log: Path, tmp_path: Path) -> None:
    """The contract as the later stages read it: every target after the cutoff, no history of its own part."""
    run(log, targets="all", **CUTS)
    sequences = read_sequences(tmp_path / "work" / SEQUENCES)
    wanted = queries(sequences, "test", 20)
    assert wanted.user.tolist() == [0, 0, 2]  # x has no history
    assert (wanted.end - wanted.start).tolist() == [4, 4, 1]


@pytest.mark.parametrize("factor", [1, 1000, 10**6, 10**9], ids=["s", "ms", "us", "ns"])
@pytest.mark.parametrize(
    ("valid", "test"),
    [("2020-09-18", "2020-09-28"), ("2020-09-18T12:26:40Z", "2020-09-28T14:26:40+02:00")],
    ids=["dates", "moments"],
)
def test_dates_in_the_unit_of_the_log(run: Run, write: Write, factor: int, valid: str, test: str) -> None:
    rows = [
        f"{user},{item},{(START + day * DAY) * factor}" for user, days in DAYS.items() for day, item in days.items()
    ]
    made = run(write("log.csv", [HEADER, *rows]), split="temporal", k_core=0, valid_from=valid, test_from=test)
    assert made.parts["u"] == (2, 3)
    assert made.facts["time_unit"] == {1: "s", 1000: "ms", 10**6: "us", 10**9: "ns"}[factor]
    if "T" in valid:
        assert made.facts["valid_from"] == (START + 5 * DAY) * factor


def test_shares(run: Run, write: Write) -> None:
    rows = [f"u{n % 7},i{n % 5},{START + n}" for n in range(100)]
    made = run(write("log.csv", [HEADER, *rows]), split="temporal", targets="all", k_core=0)
    assert (made.facts["valid_from"], made.facts["test_from"]) == (START + 80, START + 90)
    made = run(
        write("log.csv", [HEADER, *rows]), split="temporal", targets="all", k_core=0, valid_share=0.25, test_share=0.05
    )
    assert [made.facts[f"{part}_interactions"] for part in ("train", "valid", "test")] == [70, 25, 5]


def test_interactions_at_the_same_time_are_not_parted(run: Run, write: Write) -> None:
    rows = [f"u{n},i{n % 5},{START + n // 10}" for n in range(40)]
    options = {"split": "temporal", "targets": "all", "k_core": 0, "valid_share": 0.15, "test_share": 0.05}
    with pytest.raises(UsageError, match=r"validation from \d+3 and test from \d+3 do not divide"):
        run(write("log.csv", [HEADER, *rows]), **options)
    options["valid_share"] = 0.3
    facts = run(write("log.csv", [HEADER, *rows]), **options).facts
    assert [facts[f"{part}_interactions"] for part in ("train", "valid", "test")] == [20, 10, 10]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.sampled_from("uvwx"), st.sampled_from("abc"), st.integers(0, 30)), min_size=5, unique=True),
    st.sampled_from(["first", "last", "all"]),
)
def test_no_part_reaches_into_another(run: Run, write: Write, rows: list[tuple[str, str, int]], targets: str) -> None:
    path = write("log.csv", [HEADER, *(f"{user},{item},{time}" for user, item, time in rows)])
    times = sorted(time for _, _, time in rows)
    if times[0] >= 10 or times[-1] < 20:
        return
    made = run(path, split="temporal", targets=targets, k_core=0, valid_from=10, test_from=20, force=True)
    assert made.facts["interactions"] + sum(counts_dropped(made.facts).values()) == len(rows)
    for user, (train_end, valid_end) in made.parts.items():
        parts = made.times[user][:train_end], made.times[user][train_end:valid_end], made.times[user][valid_end:]
        assert all(time < 10 for time in parts[0])
        assert all(10 <= time < 20 for time in parts[1])
        assert all(time >= 20 for time in parts[2])
        own = [[t for u, _, t in rows if u == user and (t >= 10) + (t >= 20) == part] for part in range(3)]
        for part in (1, 2):
            if own[part] and targets != "all":
                assert parts[part] == [{"first": min, "last": max}[targets](own[part])]
            else:
                assert list(parts[part]) == sorted(own[part])


def test_temporal_needs_times(run: Run, write: Write) -> None:
    with pytest.raises(UsageError, match=r"needs a time for each interaction; 2 of 2 have none\n.*--time-column"):
        run(write("log.csv", ["user_id,item_id", "u,a", "u,b"]), split="temporal", k_core=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"valid_from": "2020-09-18", "test_from": None}, "needs both"),
        ({"valid_share": 0.1}, "name the same thing"),
        ({"valid_from": "soon"}, "--valid-from soon is neither a date nor a whole number"),
        ({"valid_from": "2020"}, "--valid-from 2020 is not within the years 1990 to 2100 in s"),
        ({"valid_from": START * 1000}, "is not within the years"),
        ({"valid_from": START - 1}, "do not divide a log that reaches from 1600000000"),
        ({"test_from": START + 30 * DAY}, "do not divide"),
        ({"valid_from": START + 16 * DAY}, "do not divide"),
        (
            {"valid_from": None, "test_from": None, "test_share": 1.5},
            "--test-share must be above 0 and below 1, is 1.5",
        ),
        ({"valid_from": None, "test_from": None, "valid_share": 0.5, "test_share": 0.5}, "leave nothing for training"),
        ({"split": "leave-one-out"}, "belong to a temporal split"),
        ({"split": "auto", "valid_from": None, "test_from": None, "targets": "all"}, "belong to a temporal split"),
        ({"split": "random"}, "--split 'random' is unknown"),
        ({"targets": "some"}, "--targets 'some' is unknown"),
    ],
    ids=str,
)
def test_cutoffs_that_do_not_fit(run: Run, log: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        run(log, **{**CUTS, **options})
