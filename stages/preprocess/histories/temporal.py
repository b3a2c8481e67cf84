"""The split by points in time that hold for all users."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.artifacts.errors import UsageError
from stages.preprocess.histories.interactions import Interactions, subset
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
    if interactions.times.null_count():
        raise UsageError(
            f"--split temporal needs a time for each interaction; {interactions.times.null_count():,} of "
            f"{len(interactions.items):,} have none",
            "Name the column with --time-column, or use --split leave-one-out.",
        )
    times = interactions.times.to_numpy()
    valid_from, test_from = _cutoffs(options, times, clock)
    targets = options.targets or TARGETS[0]
    parts = ((times >= valid_from).astype(np.int8) + (times >= test_from)).astype(np.int8)
    # A user's interactions are in order of time, so those of a part stand together.
    group = interactions.users * 3 + parts
    edge = (
        np.append(group[1:] != group[:-1], True) if targets == "last" else np.insert(group[1:] != group[:-1], 0, True)
    )
    kept = (parts == 0) | edge | (targets == "all")
    interactions = subset(replace(interactions, parts=parts), kept, f"interactions that are not the {targets} target")
    return interactions, {"valid_from": valid_from, "test_from": test_from, "targets": targets}


def without_history(interactions: Interactions) -> Mapping[str, int]:
    """How many targets cannot be ranked, because their user has nothing before the part."""
    assert interactions.parts is not None
    start = np.append(True, interactions.users[1:] != interactions.users[:-1])
    first_part = interactions.parts[start][interactions.users]
    alone = interactions.parts == first_part
    return {
        f"{name}_targets_without_history": int((alone & (interactions.parts == part)).sum())
        for part, name in ((1, "valid"), (2, "test"))
    }


def _cutoffs(options: PreprocessOptions, times: npt.NDArray[np.int64], clock: Clock) -> tuple[int, int]:
    """The first times of validation and test, in the unit of the log.

    Interactions at the same time are never parted, so that a share is a lower bound.

    Args:
        options: two moments, or two shares.
        times: (interactions,) of the whole log.
        clock: the unit of the times.

    Raises:
        UsageError: when validation would not begin after training and before test.
    """
    if options.valid_from is not None and options.test_from is not None:
        valid, test = clock.read(options.valid_from, "--valid-from"), clock.read(options.test_from, "--test-from")
    else:
        test_share = SHARE if options.test_share is None else options.test_share
        valid_share = SHARE if options.valid_share is None else options.valid_share
        ordered = np.sort(times)
        # Rounded first: 1 - 0.1 - 0.1 is a little more than 0.8.
        valid, test = (
            int(ordered[min(len(ordered) - 1, int(round(len(ordered) * (1 - share), 6)))])
            for share in (test_share + valid_share, test_share)
        )
    first, last = int(times.min()), int(times.max())
    if not first < valid < test <= last:
        raise UsageError(
            f"validation from {valid} and test from {test} do not divide a log that reaches from {first} to {last}",
            "Validation has to begin after the first interaction and before test, test before the last; "
            "see --valid-from, --test-from, --valid-share and --test-share.",
        )
    return valid, test
