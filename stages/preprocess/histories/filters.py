"""Which interactions are kept: by moment, k-core and a sample of users."""

from stages.artifacts.errors import UsageError
from stages.preprocess.histories.interactions import Interactions, filter_log, grouped, sample_users
from stages.preprocess.histories.whole import WholeLog
from stages.preprocess.logs.clock import Clock
from stages.preprocess.logs.log import Log
from stages.preprocess.options import ALL, PreprocessOptions

K_CORE = 5
"""The filter for logs without a published split, as in the 5-core data sets that papers report on."""


def chosen_k(options: PreprocessOptions, published_split: bool) -> int:
    """The k of the k-core filter, for a log that comes with its split or without one."""
    if options.k_core is not None:
        return options.k_core
    return 0 if published_split else K_CORE


def check_repeats(options: PreprocessOptions, published_split: bool) -> None:
    """Refuse to drop repeats of a published split.

    Raises:
        UsageError: saying so.
    """
    if options.repeats != ALL and published_split:
        raise UsageError(
            f"--repeats {options.repeats} cannot be used with a published split, whose parts belong together",
            "Divide the log anew with --split leave-one-out or --split temporal.",
        )


def filtered(options: PreprocessOptions, log: Log, k: int, clock: Clock) -> tuple[Interactions, WholeLog]:
    """The interactions that are kept, in order, their users and items numbered; and all that happened until then.

    What lies after ``--until`` has not happened yet; the other filters choose what is learnt from and measured on.

    Args:
        options: bounds in time, and the sample of users.
        log: as read, or without its published split.
        k: the least number of interactions of a user and of an item; 0 and 1 keep all.
        clock: the unit of the log's times.

    Raises:
        UsageError: when a bound does not fit the log, or repeats of a published split are to be dropped.
        DataError: when no interaction is left.
    """
    check_repeats(options, log.published_split)
    log = log.between(None, options.until, clock)
    found = grouped(log)
    whole = WholeLog.of(log, found)
    if options.since is not None:
        log = log.between(options.since, None, clock)
        found = grouped(log)
    interactions = filter_log(log, found, k, options.repeats)
    if options.sample_users is not None:
        interactions = sample_users(interactions, options.sample_users, options.seed)
    return interactions, whole
