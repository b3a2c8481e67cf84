"""The split by points in time that hold for all users."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.artifacts.errors import UsageError
from stages.preprocess.histories.interactions import Interactions, subset
from stages.preprocess.histories.order import run_starts
from stages.preprocess.logs.clock import Clock
from stages.preprocess.options import TARGETS, PreprocessOptions

SHARE = 0.1
"""Of all interactions, for validation and for test each, where nothing else is asked for."""


def temporal_parts(
    options: PreprocessOptions, interactions: Interactions, clock: Clock
) -> tuple[Interactions, Mapping[str, Any]]:
    """Give each interaction its part by its time alone.

    Args:
        options: where validation and test begin, and which of a user's interactions in a part are targets. With
            ``first`` and ``last`` the user's others of that part are left out, since the contract knows no
            interaction after the cutoff that is no target.
        interactions: of the whole log, all with a time.
        clock: the unit of their times.

    Returns:
        The interactions that are left, with ``parts``; and what is to be recorded of the split.

    Raises:
        UsageError: when times are missing, or the cutoffs do not divide them.
    """
    require_times(interactions.times.null_count(), len(interactions.items))
    times = interactions.times.to_numpy()
    ordered = np.sort(times)
    valid_from, test_from = cutoffs(options, clock, len(ordered), lambda place: int(ordered[place]))
    targets = options.targets or TARGETS[0]
    parts = parts_of(times, valid_from, test_from)
    kept = kept_targets(interactions.users, parts, targets)
    interactions = subset(replace(interactions, parts=parts), kept, others(targets))
    return interactions, {"valid_from": valid_from, "test_from": test_from, "targets": targets}


def require_times(unknown: int, rows: int) -> None:
    """Refuse interactions without a time.

    Raises:
        UsageError: when some of so many have none.
    """
    if unknown:
        raise UsageError(
            f"--split temporal needs a time for each interaction; {unknown:,} of {rows:,} have none",
            "Name the column with --time-column, or use --split leave-one-out.",
        )


def others(targets: str) -> str:
    """Why interactions are dropped that are no targets."""
    return f"interactions that are not the {targets} target"


def parts_of(times: npt.NDArray[np.int64], valid_from: int, test_from: int) -> npt.NDArray[np.int8]:
    """The part of each interaction (rows,): 0 training, 1 validation, 2 test."""
    return ((times >= valid_from).astype(np.int8) + (times >= test_from)).astype(np.int8)


def kept_targets(users: npt.NDArray[Any], parts: npt.NDArray[np.int8], targets: str) -> npt.NDArray[np.bool_]:
    """Which interactions are for training or are targets (rows,).

    Args:
        users: (rows,) those of a user together, oldest first.
        parts: (rows,) of each.
        targets: ``first``, ``last`` or ``all`` of a user in each part.
    """
    # A user's interactions are in order of time, so those of a part stand together.
    group = users.astype(np.int64) * 3 + parts
    edge = (
        np.append(group[1:] != group[:-1], True) if targets == "last" else np.insert(group[1:] != group[:-1], 0, True)
    )
    kept: npt.NDArray[np.bool_] = (parts == 0) | edge[: len(parts)] | (targets == "all")
    return kept


def without_history(users: npt.NDArray[Any], parts: npt.NDArray[np.int8]) -> dict[str, int]:
    """How many targets cannot be ranked, because their user has nothing before the part.

    Args:
        users: (rows,) those of a user together, oldest first.
        parts: (rows,) of each.
    """
    starts = run_starts(users)
    first_part = np.repeat(parts[starts], np.diff(np.append(starts, len(users))))
    alone = parts == first_part
    return {
        f"{name}_targets_without_history": int((alone & (parts == part)).sum())
        for part, name in ((1, "valid"), (2, "test"))
    }


def cutoffs(options: PreprocessOptions, clock: Clock, rows: int, ordered: Callable[[int], int]) -> tuple[int, int]:
    """The first times of validation and test, in the unit of the log.

    Interactions at the same time are never parted, so that a share is a lower bound.

    Args:
        options: two moments, or two shares.
        clock: the unit of the times.
        rows: interactions of the whole log.
        ordered: gives one of their times by its place, from 0, in ascending order.

    Raises:
        UsageError: when validation would not begin after training and before test.
    """
    if options.valid_from is not None and options.test_from is not None:
        valid, test = clock.read(options.valid_from, "--valid-from"), clock.read(options.test_from, "--test-from")
    else:
        test_share = SHARE if options.test_share is None else options.test_share
        valid_share = SHARE if options.valid_share is None else options.valid_share
        # Rounded first: 1 - 0.1 - 0.1 is a little more than 0.8.
        valid, test = (
            ordered(min(rows - 1, int(round(rows * (1 - share), 6))))
            for share in (test_share + valid_share, test_share)
        )
    first, last = ordered(0), ordered(rows - 1)
    if not first < valid < test <= last:
        raise UsageError(
            f"validation from {valid} and test from {test} do not divide a log that reaches from {first} to {last}",
            "Validation has to begin after the first interaction and before test, test before the last; "
            "see --valid-from, --test-from, --valid-share and --test-share.",
        )
    return valid, test
