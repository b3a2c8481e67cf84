"""Which interactions are kept."""

from dataclasses import dataclass
from typing import Any

from stages.preprocess.histories.interactions import Interactions, filter_log, sample_users
from stages.preprocess.logs.clock import Clock, Moment
from stages.preprocess.logs.log import Log
from stages.preprocess.options import PreprocessOptions

K_CORE = 5
"""The filter for logs without a published split, as in the 5-core data sets that papers report on."""


@dataclass(frozen=True)
class Filters:
    """The filters, in the order in which they are applied.

    Attributes:
        since: interactions before this moment are dropped.
        until: interactions at this moment and later are dropped.
        k_core: the least number of interactions of a user and of an item; 0 keeps all, ``None`` is 5, and 0 for a
            published split.
        sample_users: how many users are drawn after the k-core filter; ``None`` keeps all.
        seed: of the draw.
    """

    since: Moment | None = None
    until: Moment | None = None
    k_core: int | None = None
    sample_users: int | None = None
    seed: int = 0

    @classmethod
    def of(cls, options: PreprocessOptions) -> "Filters":
        """The filters that the options ask for."""
        return cls(options.since, options.until, options.k_core, options.sample_users, options.seed)

    def options(self) -> dict[str, Any]:
        """What the lineage records; a seed that draws nothing counts for nothing."""
        return {**vars(self), "seed": None if self.sample_users is None else self.seed}

    def k_for(self, log: Log) -> int:
        """The k of the k-core filter for a log as read, before its published split is replaced."""
        if self.k_core is not None:
            return self.k_core
        return 0 if log.published_split else K_CORE

    def applied_to(self, log: Log, k: int, clock: Clock) -> Interactions:
        """The interactions that are kept, in order, their users and items numbered.

        Raises:
            UsageError: when ``since`` or ``until`` does not fit the log.
            DataError: when no interaction is left.
        """
        interactions = filter_log(log.between(self.since, self.until, clock), k)
        if self.sample_users is not None:
            interactions = sample_users(interactions, self.sample_users, self.seed)
        return interactions
