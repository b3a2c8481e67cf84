"""Ranks of the next items among the whole catalogue, and the best items, in bounded memory."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stages.artifacts.errors import NotFiniteError
from stages.artifacts.sequences import Sequences
from stages.model.base import Model, Scorer
from stages.model.packing import pack
from stages.model.repeats import older_items
from stages.model.team import Team
from stages.model.tiles import LEAST_ROWS, all_finite, best, hide, ranks_of, ties_of, without_seen

_SCORES = 1 << 21
"""Scores held at a time on a CPU, 8 MiB, so that they stay in its caches while targets are ranked."""

_ON_DEVICE = 4  # times as many on other devices, which a small tile does not keep busy
_BATCH = 2048  # histories read at a time, where nobody asks for another number
_PLACES = 1 << 16  # of histories read at a time, where nobody bounds the memory: 2,048 histories of 32 items
_AT_LEAST = 16  # users, so that a large catalogue is not read from memory for each of them

HideMore = Callable[[Tensor, Tensor], None]
"""Puts scores (b, N + 1) of items to minus infinity, in place; is told which rows (b,) of the histories they are of."""


@dataclass(frozen=True)
class Spans:
    """Histories as parts of one flat array of items, one row per history.

    Attributes:
        first: (R,) where the user's items begin.
        start: (R,) where the part of the history begins that the model reads, cut to the longest history.
        end: (R,) where the history ends, after ``start``.
    """

    first: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]


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

    @property
    def spans(self) -> Spans:
        """Where the histories lie in ``Sequences.items``."""
        return Spans(self.first, self.start, self.end)


@dataclass(frozen=True)
class Ranking:
    """What a model says to some queries.

    Attributes:
        ranks: (R,) of the targets among all items, from 1, ties against the target.
        ranks_without_seen: (R,) the same when items of the history are not ranked; a target among them stands behind
            all items, at N + 1. Empty unless asked for.
        ties: (R,) how many other items score as the target does. Empty unless asked for.
        ties_without_seen: (R,) the same when items of the history are not ranked. Empty unless asked for.
        items: (R, k) the best items, best first; 0 where fewer than k could be recommended.
        scores: (R, k) float32, the model's own: cosine similarities with the repeat bias, or counts.
    """

    ranks: npt.NDArray[np.int64]
    ranks_without_seen: npt.NDArray[np.int64]
    ties: npt.NDArray[np.int64]
    ties_without_seen: npt.NDArray[np.int64]
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
    """Rank (R,) of each target among all items; see :func:`rank`.

    Histories are read so many at a time that their rectangle has a bounded size, however long they may be.
    """
    rows = max(LEAST_ROWS, min(_BATCH, _PLACES // model.config.max_history))
    return rank(model, items, wanted, batch_size=rows).ranks


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
        both: find ``ranks_without_seen``, ``ties`` and ``ties_without_seen`` as well.
        batch_size: histories read at a time; users x items is never held whole.
        progress: called with how many more rows are done.

    Where several processes share the work, each ranks a part of the histories, and all get the whole.

    Raises:
        NotFiniteError: when a score is NaN or infinite, which no rank could be read from.
    """
    count, device, team = len(wanted.target), items.device, model.team
    target = torch.from_numpy(wanted.target).to(device)
    numbers = torch.zeros(4, count, dtype=torch.int32, device=device)
    ranks, ranks_without_seen, ties, ties_without_seen = numbers
    lists = _Lists(count, top, device)
    with team.failing_together(NotFiniteError):
        for rows, scores, seen in _tiles(
            model,
            model.scorer(),
            items,
            wanted.spans,
            seen=both or exclude_seen,
            batch_size=batch_size,
            progress=progress,
            team=team,
        ):
            ranks[rows] = ranks_of(scores, target[rows])
            if both and seen:
                ties[rows] = ties_of(scores, target[rows])
                ranks_without_seen[rows], ties_without_seen[rows] = without_seen(
                    scores, target[rows], ranks[rows], ties[rows], seen
                )
            if top:
                hide(scores, seen if exclude_seen else None)
                lists.keep(rows, scores)
    team.sum(numbers)
    lists.share(team)
    also = [part if both else part[:0] for part in (ranks_without_seen, ties, ties_without_seen)]
    found = [part.cpu().numpy().astype(np.int64) for part in (ranks, *also)]
    return Ranking(found[0], found[1], found[2], found[3], *lists.arrays())


@torch.inference_mode()
def best_lists(
    model: Model,
    score: Scorer,
    items: Tensor,
    spans: Spans,
    *,
    top: int,
    exclude_seen: bool = False,
    allowed: Tensor | None = None,
    hide_more: HideMore | None = None,
    batch_size: int = _BATCH,
    progress: Callable[[int], None] = lambda done: None,
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """The best items after each history; nothing is known of what comes next.

    Args:
        model: in evaluation mode, on its device.
        score: its :meth:`Model.scorer`, which calls for several parts of the users share.
        items: item numbers of all histories as int64 on the same device.
        spans: the histories, none of them empty.
        top: k, from 1 to N.
        exclude_seen: items anywhere in the history, also before the part that the model reads, are left out.
        allowed: (N + 1,) bool by item number, which items may be recommended; all when ``None``.
        hide_more: hides what single histories may not be recommended.
        batch_size: histories read at a time.
        progress: called with how many more rows are done.

    Where several processes share the work, each ranks a part of the histories, and all get the whole.

    Returns:
        Item numbers (R, k), best first, 0 where fewer than k could be recommended, and their scores (R, k).

    Raises:
        NotFiniteError: when a score is NaN or infinite.
    """
    lists, team = _Lists(len(spans.end), top, items.device), model.team
    with team.failing_together(NotFiniteError):
        for rows, scores, seen in _tiles(
            model, score, items, spans, seen=exclude_seen, batch_size=batch_size, progress=progress, team=team
        ):
            hide(scores, seen, allowed)
            if hide_more is not None:
                hide_more(rows, scores)
            lists.keep(rows, scores)
    lists.share(team)
    return lists.arrays()


class _Lists:
    """The best items of some histories, filled tile by tile.

    Results that each tile allocates would stand between the large tiles and, where freed memory is kept, leave a hole
    as large as a tile for each of them.

    Args:
        rows: R, how many histories there are.
        top: k.
        device: where the scores are.
    """

    def __init__(self, rows: int, top: int, device: torch.device) -> None:
        self._top = top
        self._items = torch.zeros(rows, top, dtype=torch.int32, device=device)
        self._scores = torch.zeros(rows, top, dtype=torch.float32, device=device)

    def keep(self, rows: Tensor, scores: Tensor) -> None:
        """Take the best of hidden scores (b, N + 1) for these rows (b,)."""
        items, values = best(scores, self._top)
        self._items[rows], self._scores[rows] = items.int(), values.float()

    def share(self, team: Team) -> None:
        """Take the lists of the others, each of which has kept some of the rows."""
        if self._top:
            team.sum(self._items)
            team.sum(self._scores)

    def arrays(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """Item numbers and scores, each (R, k)."""
        return self._items.cpu().numpy(), self._scores.cpu().numpy()


def _tiles(
    model: Model,
    score: Scorer,
    items: Tensor,
    spans: Spans,
    *,
    seen: bool,
    batch_size: int,
    progress: Callable[[int], None],
    team: Team,
) -> Iterator[tuple[Tensor, Tensor, tuple[Tensor, Tensor] | None]]:
    """Rows (b,) of the histories, their scores (b, N + 1) but for item 0, and what has been seen, a tile at a time.

    Args:
        seen: whether it is wanted, as of :func:`hide`; else ``None``.
        team: the processes, each of which takes every so manieth history.

    Raises:
        NotFiniteError: when a score is NaN or infinite.
    """
    device = items.device
    budget = _SCORES if device.type == "cpu" else _ON_DEVICE * _SCORES
    step = min(batch_size, max(_AT_LEAST, budget // (model.config.items + 1)))
    # Histories of like length go together, so that little of the attention's rectangle is padding.
    order = np.argsort(spans.start - spans.end, kind="stable")[team.rank :: team.count]
    for low in range(0, len(order), batch_size):
        chosen = order[low : low + batch_size]
        rows, first, begin, end = (
            torch.from_numpy(part).to(device)
            for part in (chosen, spans.first[chosen], spans.start[chosen], spans.end[chosen])
        )
        read, longest = chosen, None
        if device.type == "cpu":
            # For equal bits whatever else is read: few histories beside copies of themselves, in a rectangle of one
            # width; see tiles.product.
            read, longest = np.resize(chosen, max(len(chosen), LEAST_ROWS)), model.config.max_history
        start, stop = (torch.from_numpy(part[read]).to(device) for part in (spans.start, spans.end))
        histories, packing = pack(items, start, stop, longest)
        tile = score(histories, packing)
        finite = torch.ones((), dtype=torch.bool, device=device)
        for part in (slice(at, min(at + step, len(rows))) for at in range(0, len(rows), step)):
            scores = tile(part)
            if model.older_bias is not None:
                older = older_items(items, model.config.items, first[part], begin[part], end[part])
                scores[older] += model.older_bias
            hide(scores)
            finite &= all_finite(scores)
            yield rows[part], scores, _seen(items, first[part], end[part]) if seen else None
        if not finite:  # asked once a batch, since a GPU has to be waited for
            raise NotFiniteError(
                f"{model.origin}: scores are not finite", "Train again, with a lower --learning-rate if it diverged."
            )
        progress(len(rows) * team.count)


def _seen(items: Tensor, first: Tensor, end: Tensor) -> tuple[Tensor, Tensor]:
    histories, packing = pack(items, first, end)
    return packing.rows, histories
