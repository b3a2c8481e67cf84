"""Ranks of the next items among the whole catalogue, and the best items, in bounded memory."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stages.artifacts.errors import NotFiniteError
from stages.artifacts.sequences import Sequences
from stages.model.base import Model
from stages.model.packing import pack
from stages.model.tiles import all_finite, among_unseen, best, hide, ranks_of, ties_of

_SCORES = 1 << 21
"""Scores held at a time on a CPU, 8 MiB, so that they stay in its caches while targets are ranked."""

_ON_DEVICE = 4  # times as many on other devices, which a small tile does not keep busy
_BATCH = 2048  # histories read at a time, where nobody asks for another number
_AT_LEAST = 16  # users, so that a large catalogue is not read from memory for each of them


@dataclass(frozen=True)
class Queries:
    """What is to be predicted, one row per target.

    Attributes:
        user: (R,) row of the user in the sequences.
        target: (R,) item to be found.
        first: (R,) where the user's items begin in ``Sequences.items``.
        start: (R,) where the part of the history begins that the model reads, cut to the longest history.
        end: (R,) where the history ends.
    """

    user: npt.NDArray[np.int64]
    target: npt.NDArray[np.int64]
    first: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Ranking:
    """What a model says to some queries.

    Attributes:
        ranks: (R,) of the targets among all items, from 1, ties against the target.
        unseen_ranks: (R,) the same when items of the history are not ranked; a target among them stands behind all
            items, at N + 1. Empty unless asked for.
        ties: (R,) how many other items score as the target does. Empty unless asked for.
        unseen_ties: (R,) the same when items of the history are not ranked. Empty unless asked for.
        items: (R, k) the best items, best first; 0 where fewer than k could be recommended.
        scores: (R, k) float32, the model's own: cosine similarities with the repeat bias, or counts.
    """

    ranks: npt.NDArray[np.int64]
    unseen_ranks: npt.NDArray[np.int64]
    ties: npt.NDArray[np.int64]
    unseen_ties: npt.NDArray[np.int64]
    items: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float32]


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
    return Queries(user, sequences.items[end + within].astype(np.int64), base[user], start, end)


def target_ranks(model: Model, items: Tensor, wanted: Queries) -> npt.NDArray[np.int64]:
    """Rank (R,) of each target among all items; see :func:`rank`."""
    return rank(model, items, wanted).ranks


@torch.inference_mode()
def rank(
    model: Model,
    items: Tensor,
    wanted: Queries,
    *,
    top: int = 0,
    exclude_seen: bool = False,
    both: bool = False,
    batch_size: int = _BATCH,
    progress: Callable[[int], None] = lambda done: None,
) -> Ranking:
    """Rank all items by the model's scores, ties against the target.

    Args:
        model: in evaluation mode, on its device.
        items: ``Sequences.items`` as int64 on the same device.
        wanted: targets and histories.
        top: k, how many of the best items to keep; at most N.
        exclude_seen: items anywhere in the history, also before the part that the model reads, are not among the best.
        both: find ``unseen_ranks``, ``ties`` and ``unseen_ties`` as well.
        batch_size: histories read at a time; users x items is never held whole.
        progress: called with how many more rows are done.

    Raises:
        NotFiniteError: when a score is NaN or infinite, which no rank could be read from.
    """
    device = items.device
    score = model.scorer()
    budget = _SCORES if device.type == "cpu" else _ON_DEVICE * _SCORES
    step = min(batch_size, max(_AT_LEAST, budget // (model.config.items + 1)))
    # Histories of like length go together, so that little of the attention's rectangle is padding.
    order = np.argsort(wanted.start - wanted.end, kind="stable")
    also = len(order) if both else 0
    ranking = Ranking(
        np.empty(len(order), np.int64),
        np.empty(also, np.int64),
        np.empty(also, np.int64),
        np.empty(also, np.int64),
        np.zeros((len(order), top), np.int32),
        np.zeros((len(order), top), np.float32),
    )
    for low in range(0, len(order), batch_size):
        rows = order[low : low + batch_size]
        target, first, start, end = (
            torch.from_numpy(part[rows]).to(device) for part in (wanted.target, wanted.first, wanted.start, wanted.end)
        )
        histories, packing = pack(items, start, end)
        tile = score(histories, packing)
        # Filled tile by tile: results that each tile allocates would stand between the large tiles and, where freed
        # memory is kept, leave a hole as large as a tile for each of them.
        ranks, unseen_ranks, ties, unseen_ties = torch.empty(4, len(rows), dtype=torch.int32, device=device)
        finite = torch.ones((), dtype=torch.bool, device=device)
        best_items = torch.empty(len(rows), top, dtype=torch.int64, device=device)
        best_scores = torch.empty(len(rows), top, dtype=torch.float32, device=device)
        for part in (slice(at, min(at + step, len(rows))) for at in range(0, len(rows), step)):
            scores = tile(part)
            hide(scores)
            finite &= all_finite(scores)
            ranks[part] = ranks_of(scores, target[part])
            seen = _seen(items, first[part], end[part]) if both or exclude_seen else None
            if both and seen:
                ties[part] = ties_of(scores, target[part])
                unseen_ranks[part], unseen_ties[part] = among_unseen(
                    scores, target[part], ranks[part], ties[part], seen
                )
            if top:
                hide(scores, seen if exclude_seen else None)
                best_items[part], best_scores[part] = best(scores, top)
        if not finite:
            raise NotFiniteError(
                f"{model.origin}: scores are not finite", "Train again, with a lower --learning-rate if it diverged."
            )
        ranking.ranks[rows] = ranks.cpu().numpy()
        if both:
            ranking.unseen_ranks[rows] = unseen_ranks.cpu().numpy()
            ranking.ties[rows] = ties.cpu().numpy()
            ranking.unseen_ties[rows] = unseen_ties.cpu().numpy()
        ranking.items[rows] = best_items.cpu().numpy()
        ranking.scores[rows] = best_scores.cpu().numpy()
        progress(len(rows))
    return ranking


def _seen(items: Tensor, first: Tensor, end: Tensor) -> tuple[Tensor, Tensor]:
    histories, packing = pack(items, first, end)
    return packing.rows, histories
