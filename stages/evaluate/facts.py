"""What an evaluation reports: metrics by both protocols, those of unseen targets, groups by popularity."""

from typing import Any

import numpy as np

from stages.artifacts.sequences import Sequences
from stages.evaluate.measures import Integers, beyond_accuracy, popularity_groups, with_intervals
from stages.evaluate.options import EvaluateOptions
from stages.frame.run import StageRun
from stages.metrics.accuracy import places
from stages.model.popularity import BEFORE_SPLIT, TRAINING, occurrences, popularity_ranks
from stages.model.ranking import Queries, Ranking

ALL_ITEMS, EXCLUDE_SEEN = "all_items", "exclude_seen"
"""The protocols: all items are ranked, or those of the history are not."""


def evaluation_facts(
    run: StageRun,
    options: EvaluateOptions,
    sequences: Sequences,
    wanted: Queries,
    ranking: Ranking,
    counts: Integers,
) -> dict[str, Any]:
    """The facts of a run.

    Args:
        run: of the stage.
        options: of the stage.
        sequences: all users.
        wanted: (R,) the targets.
        ranking: of the targets, by both protocols.
        counts: (N,) interactions of each item in training.
    """
    n = len(counts)
    users, first = np.unique(wanted.user, return_index=True)  # a list per user, however many targets
    protocols = _protocols(options, sequences, wanted, ranking, n)
    headline = protocols[EXCLUDE_SEEN if options.exclude_seen else ALL_ITEMS]
    headline_ranks = ranking.ranks_without_seen if options.exclude_seen else ranking.ranks
    return {
        "users": len(users),
        "targets": len(wanted.user),
        "repeated_targets": len(wanted.user) - len(np.unique(wanted.user * (n + 1) + wanted.target)),
        "items": n,
        "exclude_seen": options.exclude_seen,
        "seen_targets": int((ranking.ranks_without_seen > n).sum()),
        "metrics": headline["metrics"],
        "popularity": headline["popularity"],
        "protocols": protocols,
        **_unseen(headline_ranks, wanted, counts, options),
        "popularity_cut": BEFORE_SPLIT,
        "beyond_accuracy": beyond_accuracy(run, ranking.items[first], counts, options.top) if options.top else {},
        "popularity_groups": popularity_groups(counts, counts[wanted.target - 1]),
        "counts_cut": TRAINING,
    }


def _protocols(
    options: EvaluateOptions, sequences: Sequences, wanted: Queries, ranking: Ranking, items: int
) -> dict[str, dict[str, Any]]:
    """The metrics of the model and of popularity, with all items ranked and with the history excluded."""
    known = occurrences(sequences, items, BEFORE_SPLIT, options.split)
    ranks = {ALL_ITEMS: ranking.ranks, EXCLUDE_SEEN: ranking.ranks_without_seen}
    found: dict[str, dict[str, Any]] = {}
    for protocol, of_model in ranks.items():
        of_popularity = popularity_ranks(known, sequences, wanted, exclude_seen=protocol == EXCLUDE_SEEN)
        found[protocol] = {
            name: with_intervals(
                places(of, wanted.user, wanted.target, items), options.cutoffs, options.resamples, options.seed
            )
            for name, of in (("metrics", of_model), ("popularity", of_popularity))
        }
    return found


def _unseen(ranks: Integers, wanted: Queries, counts: Integers, options: EvaluateOptions) -> dict[str, Any]:
    """The metrics of targets that training never saw, where there are any."""
    unseen = counts[wanted.target - 1] == 0
    if not unseen.any():
        return {}
    found = places(ranks, wanted.user, wanted.target, len(counts)).part(unseen)
    metrics = with_intervals(found, options.cutoffs, options.resamples, options.seed)
    return {"unseen_targets": int(unseen.sum()), "unseen_metrics": metrics}
