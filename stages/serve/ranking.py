"""Ranks the requests of a moment in one batch, each with its own length, candidates and exclusions."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stages.artifacts.lists import list_columns
from stages.artifacts.names import Columns
from stages.recommend.items import Lists, Numbers
from stages.recommend.output import json_line
from stages.serve.snapshot import Snapshot
from stages.serve.work import Asked, AskedSimilar, Work

UNKNOWN = "unknown_ids"
"""How many ids of a request are not in the catalogue; not there where all are."""


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
    known = [row for row, one in enumerate(asked) if len(one.history)]
    lists = Lists(
        np.zeros((len(asked), top), np.int32),
        np.zeros((len(asked), top), np.float32),
        np.array([not len(one.history) for one in asked]),
    )
    if snapshot.shortlist is not None and known:
        shortlisted = snapshot.shortlist.best([asked[row] for row in known])
        for row, found in zip(known, shortlisted, strict=True):
            if found is not None:
                lists.items[row, : len(found[0])], lists.scores[row, : len(found[0])] = found
        known = [row for row, found in zip(known, shortlisted, strict=True) if found is None]
    if known:
        exact = [asked[row] for row in known]
        ranked = snapshot.recommender.lists(
            np.concatenate([one.history for one in exact]),
            np.concatenate([[0], np.cumsum([len(one.history) for one in exact])]).astype(np.int64),
            top=top,
            exclude_seen=False,  # request by request instead
            hide_more=_Hider(exact),
        )
        lists.items[known], lists.scores[known] = ranked.items, ranked.scores
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
