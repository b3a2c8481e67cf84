"""Scores of all items after given histories, tile by tile: the one thing that all models have in common."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from stages.model.backbone import Layout
from stages.model.counting import Counts
from stages.model.recommender import Recommender
from stages.model.repeats import seen_items

Model = Recommender | Counts

Tiles = Callable[[slice], Tensor]
"""Gives the scores (q, N + 1) of some of the histories, by item number; column 0, no item, means nothing."""

Scorer = Callable[[Tensor, Layout], Tiles]
"""Reads packed histories (R,) and their layout."""


def scorer_of(model: Model) -> Scorer:
    """How a model, in evaluation mode, scores. What depends on the items alone is computed here, once."""
    return _counts(model) if isinstance(model, Counts) else _similarities(model)


def last_places(layout: Layout) -> Tensor:
    """Where each history's last item stands among the packed items, (B,)."""
    return torch.bincount(layout.rows, minlength=layout.batch).cumsum(0) - 1


def _counts(model: Counts) -> Scorer:
    def read(histories: Tensor, layout: Layout) -> Tiles:
        last = histories[last_places(layout)]
        return lambda part: model.scores(last[part])

    return read


def _similarities(model: Recommender) -> Scorer:
    history_table, candidates = model.item_tables()
    candidates = F.normalize(candidates.float(), dim=-1)

    def read(histories: Tensor, layout: Layout) -> Tiles:
        users = F.normalize(model.read(history_table, histories, layout).float(), dim=-1)
        shift = _repeat_shifts(model, histories, layout)

        def tile(part: slice) -> Tensor:
            # In bfloat16 cosines have three digits: thousands of items would tie, and ties count against the target.
            with torch.autocast(users.device.type, enabled=False):
                scores = users[part] @ candidates.T
            shift(scores, part.start)
            return scores

        return tile

    return read


def _repeat_shifts(model: Recommender, histories: Tensor, layout: Layout) -> Callable[[Tensor, int], None]:
    """What adds the model's repeat bias, in place, to the scores (q, N + 1) of the histories from row ``first`` on."""
    if model.repeats is None:
        return lambda scores, first: None
    seen = seen_items(histories, layout, last_places(layout))
    shifts = model.repeats(seen).float()

    def shift(scores: Tensor, first: int) -> None:
        bounds = torch.tensor([first, first + len(scores)], device=scores.device)
        low, high = torch.searchsorted(seen.rows, bounds).tolist()
        place = (seen.rows[low:high] - first) * scores.shape[1] + seen.items[low:high]
        scores.view(-1).index_add_(0, place, shifts[low:high])

    return shift
