"""Items that training never sees, to measure how well new items are ranked."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import polars as pl

from stages.artifacts.errors import DataError
from stages.preprocess.histories.interactions import Interactions
from stages.preprocess.histories.numbering import renumber


def with_cold_items(interactions: Interactions, share: float, seed: int) -> tuple[Interactions, Mapping[str, int]]:
    """Draw items and take them out of all training parts.

    They keep their numbers, as candidates, and their places in validation and test, as targets. A validation target
    stays in the history that precedes the user's test target.

    Args:
        interactions: with their ``parts``.
        share: of the items that have interactions, rounded; at least one is drawn.
        seed: decides which.

    Returns:
        The interactions that are left, and counts: items drawn, interactions taken out, targets that are such items
        in validation and test, users of whom nothing is left.

    Raises:
        DataError: when nothing is left to train on.
    """
    assert interactions.parts is not None
    items = interactions.item_ids.len()
    cold = np.zeros(items + 1, np.bool_)
    drawn = min(items, max(1, round(share * items)))
    cold[1 + np.random.default_rng(seed).choice(items, drawn, replace=False)] = True
    of_cold = cold[interactions.items]
    kept = ~of_cold | (interactions.parts > 0)
    if not (interactions.parts[kept] == 0).any():
        raise DataError(
            f"--cold-items {share:g} takes all {int((~kept).sum()):,} interactions out of training", "Lower the share."
        )
    counts = {
        "items": drawn,
        "training_interactions": int((~kept).sum()),
        "valid_targets": int((of_cold & (interactions.parts == 1)).sum()),
        "test_targets": int((of_cold & (interactions.parts == 2)).sum()),
    }
    users, user_ids = renumber(interactions.users[kept], interactions.user_ids)
    left = replace(
        interactions,
        users=users,
        items=interactions.items[kept],
        times=interactions.times.filter(pl.Series(kept)),
        parts=interactions.parts[kept],
        user_ids=user_ids,
        dropped={**interactions.dropped, "training interactions of cold items": counts["training_interactions"]},
    )
    return left, {**counts, "users_without_other_items": interactions.user_ids.len() - user_ids.len()}
