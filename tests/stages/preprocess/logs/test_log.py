"""The log as every reader hands it over."""

import polars as pl
import pytest

from stages.artifacts.errors import UsageError
from stages.preprocess.columns import ITEM, PART, TIME, USER
from stages.preprocess.logs.clock import Clock
from stages.preprocess.logs.log import Log

START = 1_600_000_000  # 2020-09-13T12:26:40Z
CLOCK = Clock("s", 0)


def log_of(*times: int | None, published: bool = False, has_times: bool = True) -> Log:
    frame = pl.DataFrame(
        {USER: ["u"] * len(times), ITEM: list("abcdefgh"[: len(times)]), TIME: times},
        schema={USER: pl.String, ITEM: pl.String, TIME: pl.Int64},
    )
    if published:
        frame = frame.with_columns(pl.lit(0, pl.Int8).alias(PART))
    return Log(frame, has_times, published, {"bad rows": 2})


def test_moments_bound_the_log_from_since_to_before_until() -> None:
    log = log_of(START - 1, START, START + 5, None, START + 9)
    found = log.between(START, START + 9, CLOCK)
    assert found.frame[ITEM].to_list() == ["b", "c"]
    assert found.dropped == {
        "bad rows": 2,
        f"interactions outside --since {START}": 2,  # one of them has no time
        f"interactions outside --until {START + 9}": 1,
    }
    assert log.frame.height == 5
    assert log.between("2020-09-13T12:26:45Z", None, CLOCK).frame[ITEM].to_list() == ["c", "e"]


def test_without_bounds_the_log_is_as_it_was() -> None:
    for log in (log_of(START), log_of(None, has_times=False), log_of(START, published=True)):
        assert log.between(None, None, CLOCK) is log


@pytest.mark.parametrize("option", ["--since", "--until"])
def test_bounds_need_times_and_no_published_split(option: str) -> None:
    bounds = (START, None) if option == "--since" else (None, START)
    with pytest.raises(UsageError, match=rf"^{option} needs a log with times\n.*--time-column"):
        log_of(None, has_times=False).between(*bounds, CLOCK)
    with pytest.raises(UsageError, match=rf"^{option} cannot be used with a published split.*\n.*--split temporal"):
        log_of(START, published=True).between(*bounds, CLOCK)


@pytest.mark.parametrize(("has_times", "by_time"), [(True, True), (True, False), (False, True)])
def test_a_published_split_is_taken_off(has_times: bool, by_time: bool) -> None:
    log = log_of(START, None, published=True, has_times=has_times)
    found = log.without_split(by_time)
    assert found.frame.equals(log.frame.drop(PART))
    assert (found.published_split, found.has_times, found.dropped) == (False, has_times and by_time, log.dropped)


def test_a_log_without_a_published_split_stays() -> None:
    log = log_of(START)
    assert log.without_split(by_time=False) is log
