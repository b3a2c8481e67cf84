"""What has to be known of all partitions together, found by asking each of them."""

from collections.abc import Sequence
from typing import Any

from stages.frame.cluster import Cluster
from stages.preprocess.cluster.blocks import unpacked
from stages.preprocess.cluster.partition import Gathered, merged_dropped
from stages.preprocess.logs.clock import Clock, clock_of, example_of, lies_between


def read_clock_of(cluster: Cluster, logs: Sequence[Any], gathered: Sequence[Gathered], scale: int) -> Clock:
    """The clock of a log; see :func:`stages.preprocess.logs.clock.read_clock`.

    Args:
        cluster: that holds the log.
        logs: references to its partitions.
        gathered: what is known of these.
        scale: what the numbers of the files were multiplied by.

    Raises:
        DataError: when the times are in several units.
    """

    def between(found: list[str]) -> bool:
        task = cluster.task(_between)
        return any(cluster.each([task.remote(log, found, scale) for log in logs]))

    def example(unit: str) -> str | None:
        task = cluster.task(_example)
        told = cluster.each([task.remote(log, unit, scale) for log in logs])
        return next((one for one in told if one is not None), None)

    return clock_of(merged_dropped([known.units for known in gathered]), scale, between, example)


def _between(log: bytes, found: list[str], scale: int) -> bool:
    return lies_between(unpacked(log), found, scale)


def _example(log: bytes, unit: str, scale: int) -> str | None:
    return example_of(unpacked(log), unit, scale)
