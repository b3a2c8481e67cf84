"""Ranks the requests of a moment in one batch, each with its own length, candidates and exclusions."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stages.artifacts.lists import list_columns
from stages.artifacts.names import Columns
from stages.recommend.items import Lists, Numbers
from stages.recommend.output import json_line
from stages.serve.snapshot import Snapshot

UNKNOWN = "unknown_ids"
"""How many ids of a request are not in the catalogue; not there where all are."""

_NONE = np.empty(0, np.int32)


@dataclass(frozen=True)
class Asked:
    """A request for recommendations, by item number.

    Attributes:
        snapshot: that its numbers are of, and that answers it.
        history: (h,) known items, oldest first; empty for the popular items.
        top: k, from 1 to N.
        exclude_seen: leave the history out.
        candidates: (c,) the only items to recommend, each once; ``None`` for all.
        exclude: (e,) items not to recommend.
        user_id: whom the answer names; ``None`` for nobody.
        unknown: how many ids of the request are not in the catalogue.
    """

    snapshot: Snapshot
    history: Numbers
    top: int
    exclude_seen: bool
    candidates: Numbers | None = None
    exclude: Numbers = field(default_factory=lambda: _NONE)
    user_id: str | None = None
    unknown: int = 0

    @property
    def left_out(self) -> Numbers:
        """Items that may not be among the best."""
        return np.concatenate([self.exclude, self.history]) if self.exclude_seen else self.exclude


@dataclass(frozen=True)
class AskedSimilar:
    """A request for items like another.

    Attributes:
        snapshot: that its number is of, and that answers it.
        item_id: of the item.
        number: of the item.
        top: k, from 1 to N.
        by: ``model`` or ``text``.
    """

    snapshot: Snapshot
    item_id: str
    number: int
    top: int
    by: str


Work = Asked | AskedSimilar


def answer(batch: Sequence[Work]) -> list[str]:
    """The answers to requests, in their order: a line of JSON each, as ``cocorec recommend`` and ``similar`` write it.

    Raises:
        DataError: when a score is not finite.
    """
    lines = [""] * len(batch)
    groups: dict[tuple[int, type], list[int]] = {}
    for place, work in enumerate(batch):
        groups.setdefault((id(work.snapshot), type(work)), []).append(place)
    for places in groups.values():
        works = [batch[place] for place in places]
        asked = [work for work in works if isinstance(work, Asked)]
        similar = [work for work in works if isinstance(work, AskedSimilar)]
        for place, line in zip(places, _recommended(asked) if asked else _similar(similar), strict=True):
            lines[place] = line
    return lines


def _recommended(asked: Sequence[Asked]) -> list[str]:
    lists, lines = rank(asked), []
    rows = zip(asked, lists.fallback.tolist(), _rows(asked[0].snapshot, lists), strict=True)
    for one, fallback, (ids, scores, texts) in rows:
        row = {} if one.user_id is None else {Columns.USER_ID: one.user_id}
        told: dict[str, object] = {Columns.ITEM_IDS: ids, Columns.SCORES: scores, Columns.FALLBACK: fallback, **texts}
        lines.append(json_line({**row, **told, **({UNKNOWN: one.unknown} if one.unknown else {})}))
    return lines


def _similar(asked: Sequence[AskedSimilar]) -> list[str]:
    snapshot, tops = asked[0].snapshot, [one.top for one in asked]
    numbers = np.array([one.number for one in asked], np.int32)
    lists = snapshot.recommender.neighbours(numbers, top=max(tops), by=asked[0].by)
    _cut(lists, tops)
    return [
        json_line({Columns.ITEM_ID: one.item_id, Columns.ITEM_IDS: ids, Columns.SCORES: scores, **texts})
        for one, (ids, scores, texts) in zip(asked, _rows(snapshot, lists), strict=True)
    ]


def rank(asked: Sequence[Asked]) -> Lists:
    """The best items for requests of one snapshot, as long as the longest list among them; shorter ones are cut.

    Raises:
        DataError: when a score is not finite.
    """
    snapshot, top = asked[0].snapshot, max(one.top for one in asked)
    known = [one for one in asked if len(one.history)]
    lists = Lists(
        np.zeros((len(asked), top), np.int32),
        np.zeros((len(asked), top), np.float32),
        np.array([not len(one.history) for one in asked]),
    )
    if known:
        found = snapshot.recommender.lists(
            np.concatenate([one.history for one in known]),
            np.concatenate([[0], np.cumsum([len(one.history) for one in known])]).astype(np.int64),
            top=top,
            exclude_seen=False,  # request by request instead
            hide_more=_Hider(known),
        )
        lists.items[~lists.fallback], lists.scores[~lists.fallback] = found.items, found.scores
    for row in np.flatnonzero(lists.fallback).tolist():
        items, counts = _popular(asked[row])
        lists.items[row, : len(items)], lists.scores[row, : len(items)] = items, counts
    _cut(lists, [one.top for one in asked])
    return lists


class _Hider:
    """Hides what a request may not be recommended.

    Args:
        asked: requests in the order of the histories.
    """

    def __init__(self, asked: Sequence[Asked]) -> None:
        self._asked = asked

    def __call__(self, rows: Tensor, scores: Tensor) -> None:
        for at, row in enumerate(rows.tolist()):
            one = self._asked[row]
            if one.candidates is not None:
                only = torch.from_numpy(one.candidates.astype(np.int64)).to(scores.device)
                kept = scores[at, only]
                scores[at] = -torch.inf
                scores[at, only] = kept
            if len(out := one.left_out):
                scores[at, torch.from_numpy(out.astype(np.int64)).to(scores.device)] = -torch.inf


def _popular(one: Asked) -> tuple[Numbers, npt.NDArray[np.float32]]:
    """The items taken most often that a request may be recommended, at most k, and how often."""
    counts = one.snapshot.counts
    assert counts is not None
    if one.candidates is None:
        items = one.snapshot.popular[: one.top + len(one.exclude)]
    else:
        items = np.sort(one.candidates)
        items = items[np.argsort(-counts[items - 1], kind="stable")]
    items = items[~np.isin(items, one.exclude)][: one.top]
    return items, counts[items - 1].astype(np.float32)


def _cut(lists: Lists, tops: Sequence[int]) -> None:
    lists.items[np.arange(lists.items.shape[1]) >= np.array(tops)[:, None]] = 0


def _rows(snapshot: Snapshot, lists: Lists) -> list[tuple[list[str], list[float], dict[str, list[str | None]]]]:
    """Ids, scores and texts of each list."""
    ids, scores, *texts = (column.to_pylist() for column in list_columns(lists.items, lists.scores, snapshot.columns))
    views = list(snapshot.columns)[1:]
    return [
        (ids[row], scores[row], {view: found[row] for view, found in zip(views, texts, strict=True)})
        for row in range(len(ids))
    ]
