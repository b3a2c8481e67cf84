"""The unit of a log's times."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stages.artifacts.errors import DataError, UsageError

Write = Callable[..., Path]
Run = Callable[..., Any]
START = 1_600_000_000  # 2020-09-13T12:26:40Z
HEADER = "user_id,item_id,timestamp"


def test_a_date_needs_a_log_with_dates(run: Run, write: Write) -> None:
    rows = [f"u,i{n},{n}" for n in range(9)]
    with pytest.raises(UsageError, match="--valid-from 2020-01-01 is a date, but the times of the log are not"):
        run(
            write("log.csv", [HEADER, *rows]),
            split="temporal",
            k_core=0,
            valid_from="2020-01-01",
            test_from="2021-01-01",
        )


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([START, START * 1000], r"different units: 1 in s such as 1600000000 of user 'u', 1 in ms"),
        ([START, "2020-09-13"], r"different units: 1 in s .*1 in ms such as 1599955200000"),
        ([START * 1000, START * 10**6, START * 10**9], "in ms .* in us .* in ns"),
    ],
)
def test_times_in_different_units_are_refused(run: Run, write: Write, times: list[Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        run(write("log.csv", [HEADER, *(f"u,i{n},{time}" for n, time in enumerate(times))]), k_core=0)


def test_a_counter_is_no_date(run: Run, write: Write) -> None:
    rows = [f"u,i{n},{time}" for n, time in enumerate([5, 10**9, 10**10, 10**12])]
    assert run(write("log.csv", [HEADER, *rows]), k_core=0).facts["time_unit"] is None


def test_times_outside_of_living_memory_are_counted(run: Run, write: Write) -> None:
    rows = [f"u,i{n},{time}" for n, time in enumerate([-1, 0, START, START + 1, 9 * 10**9])]
    made = run(write("log.csv", [HEADER, *rows]), k_core=0)
    assert made.facts["implausible_times"] == 3
    assert any("3 times, read in s, are not within the years 1990 to 2100" in warning for warning in made.warnings)


def test_moments_stay_in_the_unit_of_the_files(run: Run, write: Write) -> None:
    rows = [f"u,i{n},{START + n}.25" for n in range(9)]
    log = write("log.csv", [HEADER, *rows])
    made = run(log, k_core=0, since=START + 3, until=str(START + 6))
    assert (made.facts["time_unit"], made.users) == ("ms", {"u": ["i3", "i4", "i5"]})
    with pytest.raises(UsageError, match="--since 2024 is not within the years 1990 to 2100 in s, the unit"):
        run(log, k_core=0, since=2024)


def test_a_counter_with_fractions_is_no_date(run: Run, write: Write) -> None:
    rows = [f"u,i{n},{9 - n}.5" for n in range(3)]
    made = run(write("log.csv", [HEADER, *rows]), k_core=0)
    assert (made.facts["time_unit"], made.users) == (None, {"u": ["i2", "i1", "i0"]})
