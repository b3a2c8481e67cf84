"""Which of several processes this one is, as torchrun and other launchers of torch say in the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from stages.artifacts.errors import UsageError

LAUNCHED = "COCOREC_LAUNCHED_BY"
"""Variable of processes that :func:`stages.frame.processes.launch.launch` started: the number of their parent."""


@dataclass(frozen=True)
class Place:
    """The place of a process among those that work together.

    Attributes:
        rank: its number, from 0.
        count: how many they are, at least 2.
        local: its number among those of its machine.
    """

    rank: int
    count: int
    local: int

    @property
    def first(self) -> bool:
        """Whether it is the one that writes files and talks."""
        return self.rank == 0


def own_place(environment: Mapping[str, str] = os.environ) -> Place | None:
    """The place of this process; ``None`` where it works alone.

    Args:
        environment: its variables.
    """
    try:
        rank, count = int(environment["RANK"]), int(environment["WORLD_SIZE"])
        local = int(environment.get("LOCAL_RANK", rank))
    except (KeyError, ValueError):
        return None
    return Place(rank, count, local) if count > 1 and "MASTER_ADDR" in environment else None


def writes() -> bool:
    """Whether this process writes files: it works alone, or is the first of several."""
    place = own_place()
    return place is None or place.first


def to_launch(asked: int | None) -> int | None:
    """How many processes have to be started for ``--processes``; ``None`` where the work is done in this one.

    Args:
        asked: the option.

    Raises:
        UsageError: when a launcher has started another number.
    """
    place = own_place()
    if place is None:
        return asked if asked is not None and asked > 1 else None
    if asked is not None and asked != place.count:
        raise UsageError(
            f"--processes {asked}, but this is one of {place.count} processes that were started together",
            "Leave --processes out under torchrun.",
        )
    return None
