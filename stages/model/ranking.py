"""Ranks of the next items among the whole catalogue, in bounded memory."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from stages.artifacts.sequences import Sequences
from stages.model.backbone import Layout
from stages.model.recommender import Recommender
from stages.model.repeats import seen_items

_SCORES = 1 << 23
"""Scores held at a time, 32 MiB: a few thousand users of a small catalogue, or a handful of a million items."""


@dataclass(frozen=True)
class Queries:
    """What is to be predicted, one row per target.

    Attributes:
        user: (R,) row of the user in the sequences.
        target: (R,) item to be found.
        start, end: (R,) bounds of the history in ``Sequences.items``, already cut to the longest history.
    """

    user: npt.NDArray[np.int64]
    target: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]


def queries(sequences: Sequences, split: str, max_history: int) -> Queries:
    """The targets of a split with the histories that precede the split.

    Args:
        sequences: all users.
        split: ``valid`` or ``test``. A user with several targets there gets a row for each, all with the history
            that was known when the split began; users without target or history get none.
        max_history: longest history kept.
    """
    base = sequences.offsets[:-1]
    lengths = np.diff(sequences.offsets)
    bounds = {"valid": (sequences.train_end, sequences.valid_end), "test": (sequences.valid_end, lengths)}
    first, last = bounds[split]
    count = np.where(first > 0, last - first, 0)
    user = np.repeat(np.arange(sequences.users), count)
    within = np.arange(len(user)) - np.repeat(np.cumsum(count) - count, count)
    end = base[user] + first[user]
    start = np.maximum(base[user], end - max_history)
    return Queries(user, sequences.items[end + within].astype(np.int64), start, end)


def pack(items: Tensor, start: Tensor, end: Tensor) -> tuple[Tensor, Layout]:
    """Histories ``items[start:end]`` one after the other (R,), and where they lie; no history may be empty."""
    layout = Layout.of_lengths(end - start)
    return items[start[layout.rows] + layout.columns], layout


def _repeat_shifts(model: Recommender, histories: Tensor, layout: Layout) -> Callable[[Tensor, int], None]:
    """What adds the model's repeat bias, in place, to the scores (q, N + 1) of the histories from row ``first`` on."""
    if model.repeats is None:
        return lambda scores, first: None
    last = torch.bincount(layout.rows, minlength=layout.batch).cumsum(0) - 1
    seen = seen_items(histories, layout, last)
    shifts = model.repeats(seen).float()

    def shift(scores: Tensor, first: int) -> None:
        low, high = torch.searchsorted(seen.rows, torch.tensor([first, first + len(scores)], device=scores.device))
        place = (seen.rows[low:high] - first) * scores.shape[1] + seen.items[low:high]
        scores.view(-1).index_add_(0, place, shifts[low:high])

    return shift


@torch.inference_mode()
def target_ranks(
    model: Recommender,
    items: Tensor,
    wanted: Queries,
    *,
    batch_size: int = 2048,
    progress: Callable[[int], None] = lambda done: None,
) -> npt.NDArray[np.int64]:
    """Rank of each target among all items by cosine similarity and repeat bias, ties against the target.

    Args:
        model: in evaluation mode, on its device.
        items: ``Sequences.items`` as int64 on the same device.
        wanted: targets and histories.
        batch_size: histories read at a time; users x items is never held whole.
        progress: called with how many more rows are done.

    Returns:
        (R,) ranks from 1.
    """
    device = items.device
    history_table, candidates = model.item_tables()
    candidates = F.normalize(candidates.float(), dim=-1)
    step = max(1, min(batch_size, _SCORES // len(candidates)))
    # Histories of like length go together, so that little of the attention's rectangle is padding.
    order = np.argsort(wanted.start - wanted.end, kind="stable")
    ranks = np.empty(len(order), np.int64)
    for low in range(0, len(order), batch_size):
        rows = order[low : low + batch_size]
        start, end, target = (
            torch.from_numpy(part[rows]).to(device) for part in (wanted.start, wanted.end, wanted.target)
        )
        histories, layout = pack(items, start, end)
        users = F.normalize(model.read(history_table, histories, layout).float(), dim=-1)
        shift = _repeat_shifts(model, histories, layout)
        parts = []
        for first in range(0, len(rows), step):
            users_part, target_part = users[first : first + step], target[first : first + step]
            scores = users_part @ candidates.T
            scores[:, 0] = -torch.inf
            shift(scores, first)
            at_target = scores.gather(1, target_part[:, None])
            parts.append((scores >= at_target).sum(1))  # counts the target itself, so the best rank is 1
        ranks[rows] = torch.cat(parts).cpu().numpy()
        progress(len(rows))
    return ranks
