from typing import Any

import polars as pl
import pytest

from stages.artifacts.errors import DataError
from stages.frame.cluster import Cluster
from stages.preprocess.cluster.blocks import packed
from stages.preprocess.cluster.partition import Gathered
from stages.preprocess.cluster.whole_log import read_clock_of
from stages.preprocess.columns import TIME, USER
from stages.preprocess.logs.clock import Clock, count_units, read_clock


def clock_of(ray: Any, *partitions: list[int]) -> Clock:
    frames = [pl.DataFrame({USER: ["u"] * len(times), TIME: times}) for times in partitions]
    gathered = [Gathered({}, {}, {}, True, count_units(frame, 1)) for frame in frames]
    return read_clock_of(Cluster(ray), [ray.put(packed(frame)) for frame in frames], gathered, 1)


SECONDS, MILLISECONDS, BETWEEN = [1_600_000_000, 5], [1_600_000_000_000], [20_000_000_000]


def test_the_unit_is_that_of_all_partitions(ray_cluster: Any) -> None:
    whole = pl.DataFrame({USER: ["u"] * 3, TIME: [*SECONDS, SECONDS[0]]})
    assert clock_of(ray_cluster, SECONDS, SECONDS[:1]) == read_clock(whole) == Clock("s", 1)


def test_units_that_differ_between_partitions_are_refused(ray_cluster: Any) -> None:
    with pytest.raises(DataError, match="1 in s such as 1600000000 of user 'u', 1 in ms such as 1600000000000"):
        clock_of(ray_cluster, SECONDS, MILLISECONDS)


def test_a_counter_passes_through_what_lies_between(ray_cluster: Any) -> None:
    assert clock_of(ray_cluster, SECONDS, MILLISECONDS, BETWEEN) == Clock(None, 0)
