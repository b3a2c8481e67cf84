"""Where each user's training and validation parts end."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.preprocess.histories.cold import with_cold_items
from stages.preprocess.histories.interactions import Interactions
from stages.preprocess.histories.temporal import temporal_parts, without_history
from stages.preprocess.logs.clock import Clock
from stages.preprocess.logs.log import Log
from stages.preprocess.options import AUTO, LEAVE_ONE_OUT, TEMPORAL, PreprocessOptions

Ends = npt.NDArray[np.int64]

PUBLISHED = "published"

MINIMUM = 3
"""A user needs this many items for one of training, one of validation and one of test."""


@dataclass(frozen=True)
class Split:
    """The parts of every user's items.

    Attributes:
        offsets: (users + 1,) user u owns interactions ``offsets[u]:offsets[u + 1]``.
        train_end: (users,) how many of a user's items are for training.
        valid_end: (users,) how many are for training and validation.
    """

    offsets: Ends
    train_end: Ends
    valid_end: Ends

    @property
    def lengths(self) -> Ends:
        """(users,) how many items a user has."""
        return np.diff(self.offsets)

    @property
    def parts(self) -> npt.NDArray[np.int8]:
        """(interactions,) 0 training, 1 validation, 2 test."""
        lengths = self.lengths
        place = np.arange(self.offsets[-1]) - np.repeat(self.offsets[:-1], lengths)
        later = [place >= np.repeat(end, lengths) for end in (self.train_end, self.valid_end)]
        return later[0].astype(np.int8) + later[1]


def with_split_of(options: PreprocessOptions, log: Log) -> Log:
    """The log, without its published split if another is asked for."""
    return log if options.split == AUTO else log.without_split(by_time=options.split == TEMPORAL)


def divided(
    options: PreprocessOptions, interactions: Interactions, clock: Clock
) -> tuple[Interactions, Split, Mapping[str, Any]]:
    """Divide the interactions into training, validation and test.

    Returns:
        The interactions that have a place in the split, where its parts end, and what is to be recorded of it.

    Raises:
        UsageError: when a temporal split lacks times, or its cutoffs do not divide them.
    """
    if options.split == TEMPORAL:
        interactions, facts = temporal_parts(options, interactions, clock)
        facts = {"split": TEMPORAL, **facts}
    else:
        facts = {"split": LEAVE_ONE_OUT if interactions.parts is None else PUBLISHED}
    split = split_of(interactions)
    if options.cold_items is not None:
        interactions, cold = with_cold_items(replace(interactions, parts=split.parts), options.cold_items, options.seed)
        facts, split = {**facts, "held_out_items": cold}, split_of(interactions)
    if options.split == TEMPORAL:
        assert interactions.parts is not None
        facts = {**facts, **without_history(interactions.users, interactions.parts)}
    return interactions, split, facts


def split_of(interactions: Interactions) -> Split:
    """Follow the parts, or leave each user's last item for test and the one before for validation.

    Users with fewer than three items are for training alone: a test target without a validation target and history
    would measure something else.
    """
    users = interactions.user_ids.len()
    lengths = np.bincount(interactions.users, minlength=users)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    if interactions.parts is None:
        out = lengths >= MINIMUM
        return Split(offsets, np.where(out, lengths - 2, lengths), np.where(out, lengths - 1, lengths))
    train = np.bincount(interactions.users[interactions.parts == 0], minlength=users)
    valid = np.bincount(interactions.users[interactions.parts == 1], minlength=users)
    return Split(offsets, train, train + valid)
