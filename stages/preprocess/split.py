"""Where each user's training and validation parts end."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stages.preprocess.interactions import Interactions

Ends = npt.NDArray[np.int64]

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


def split(interactions: Interactions) -> Split:
    """Keep a published split, or leave each user's last item for test and the one before for validation.

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
