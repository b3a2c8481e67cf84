"""Counts of the histories that are learnt from, of all users or of some; those of some add up."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.preprocess.histories.interactions import Interactions
from stages.preprocess.histories.order import rows_of
from stages.preprocess.histories.split import Split

Mask = npt.NDArray[np.bool_]

_QUANTILES = {"min": 0.0, "p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95, "max": 1.0}


@dataclass(frozen=True)
class SequenceCounts:
    """What is counted of users' histories and their parts.

    Attributes:
        lengths: (longest + 1,) how many users have a history of each length.
        occurring, trained, tested: (items + 1,) which items occur at all, in the training and in the test parts.
        held, tests: interactions for validation and test, and for test.
        training_only, without_training, without_times: users whose interactions are all for training, none of whose
            are, and with an interaction whose time is unknown.
    """

    lengths: npt.NDArray[np.int64]
    occurring: Mask
    trained: Mask
    tested: Mask
    held: int
    tests: int
    training_only: int
    without_training: int
    without_times: int

    @classmethod
    def of(cls, interactions: Interactions, split: Split, items: int) -> "SequenceCounts":
        """Of some users.

        Args:
            interactions: of these users, with numbers of items from 1 to ``items``.
            split: their parts.
            items: of the catalogue.
        """
        lengths = split.lengths
        # Most interactions are for training: items that only the others have are found by looking at the others.
        held, tests = (
            interactions.items[rows_of(split.offsets[:-1] + end, lengths - end)]
            for end in (split.train_end, split.valid_end)
        )
        counts = np.bincount(interactions.items, minlength=items + 1)
        trained = counts - np.bincount(held, minlength=items + 1)
        tested = np.zeros(items + 1, np.bool_)
        tested[tests] = True
        unknown = interactions.times.is_null().to_numpy()
        return cls(
            np.bincount(lengths),
            counts > 0,
            trained > 0,
            tested,
            len(held),
            len(tests),
            len(lengths) - int((split.train_end < lengths).sum()),
            int((split.train_end == 0).sum()),
            int(np.unique(interactions.users[unknown]).size),
        )

    def merged(self, other: "SequenceCounts") -> "SequenceCounts":
        """Of the users of both, who are different ones."""
        lengths = np.zeros(max(len(self.lengths), len(other.lengths)), np.int64)
        for counts in (self, other):
            lengths[: len(counts.lengths)] += counts.lengths
        return SequenceCounts(
            lengths,
            self.occurring | other.occurring,
            self.trained | other.trained,
            self.tested | other.tested,
            *(getattr(self, name) + getattr(other, name) for name in _ADDED),
        )

    @property
    def users(self) -> int:
        """How many users there are."""
        return int(self.lengths.sum())

    @property
    def interactions(self) -> int:
        """How many interactions they have."""
        return int(self.lengths @ np.arange(len(self.lengths)))

    @property
    def taken(self) -> int:
        """How many items occur."""
        return int(self.occurring.sum())

    def facts(self, items: int) -> dict[str, Any]:
        """The counts as JSON values.

        Args:
            items: of the catalogue.
        """
        users, total = self.users, self.interactions
        return {
            "users": users,
            "items": items,
            "interactions": total,
            "density": round(total / (users * items), 8),
            "history_length": {
                "mean": round(total / users, 4),
                **{name: self._quantile(share) for name, share in _QUANTILES.items()},
            },
            "train_interactions": total - self.held,
            "valid_interactions": self.held - self.tests,
            "test_interactions": self.tests,
            "users_for_training_only": self.training_only,
            "users_without_training_items": self.without_training,
            "test_items_not_in_training": int((self.tested & ~self.trained).sum()),
            "users_with_times": users - self.without_times,
        }

    def _quantile(self, share: float) -> int:
        """The shortest length that at least this share of the users do not exceed (the inverse of the distribution)."""
        rank = max(1, int(np.ceil(round(self.users * share, 6))))
        return int(np.searchsorted(np.cumsum(self.lengths), rank))


_ADDED = ("held", "tests", "training_only", "without_training", "without_times")
