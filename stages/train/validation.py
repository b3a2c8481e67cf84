"""Accuracy on the validation split, by which epochs are judged."""

from torch import Tensor

from stages.metrics.accuracy import mean_metrics, places
from stages.model.base import Model
from stages.model.ranking import Queries, target_ranks

VALIDATION_METRICS = ("recall@10", "ndcg@10", "mrr")
"""What is computed after every epoch."""


def validate(model: Model, items: Tensor, wanted: Queries) -> dict[str, float]:
    """Mean metrics over the users, by name.

    Args:
        model: on its device.
        items: ``Sequences.items`` as int64 on the same device.
        wanted: targets of the validation split.

    Raises:
        NotFiniteError: when a score is not finite.
    """
    ranks = target_ranks(model.eval(), items, wanted)
    return mean_metrics(places(ranks, wanted.user, wanted.target), VALIDATION_METRICS)
