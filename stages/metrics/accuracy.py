"""Accuracy of rankings, user by user, from the ranks of the targets alone.

Names mean what trec_eval and the libraries after it mean by them, also where a user has several targets; README.md of
the stage evaluate gives the formulas.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stages.artifacts.errors import UsageError

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

METRICS = ("recall", "ndcg", "hit", "map")
"""Metrics that are cut off at K; with one target a user hit@K is recall@K."""

_CUT_OFF = re.compile(rf"({'|'.join(METRICS)})@([1-9][0-9]*)")


@dataclass(frozen=True)
class Places:
    """Where the distinct targets of each user stand in the user's list, best first.

    Attributes:
        users: (U,) numbers of the users, ascending.
        user: (T,) row in ``users`` that each place belongs to, ascending.
        place: (T,) float64 from 1, different for each target of a user, ascending within a user; infinite for a target
            that is not ranked.
        row: (T,) row of the target in what :func:`places` was given.
        repeated: rows whose item is a target of the same user already; they count once.
    """

    users: Integers
    user: Integers
    place: Floats
    row: Integers
    repeated: int

    def part(self, chosen: npt.NDArray[np.bool_]) -> "Places":
        """Those of some rows (R,); users without any of these are left out, the places stay what they are."""
        kept = chosen[self.row]
        left, user = np.unique(self.user[kept], return_inverse=True)
        return Places(self.users[left], user, self.place[kept], self.row[kept], self.repeated)


def metric_names(cutoffs: Sequence[int]) -> list[str]:
    """The metrics that an evaluation reports."""
    return [f"{metric}@{k}" for k in cutoffs for metric in METRICS] + ["mrr"]


def places(ranks: Integers, users: Integers, targets: Integers, items: int | None = None) -> Places:
    """The places of targets in their users' lists.

    A rank counts the items that score as high as the target, the user's other targets among them: those that tie with
    each other take the places from that rank upwards. What is no target and ties stands before them.

    Args:
        ranks: (R,) of the targets among all items, from 1, ties against the target.
        users: (R,) whose targets they are.
        targets: (R,) items; one that occurs twice for a user counts once.
        items: N; a target beyond it is not ranked. ``None`` where the number is not known: all are ranked.

    Raises:
        ValueError: where more distinct targets of a user stand within a rank than there are places; the argument is
            the row.
    """
    by_target = np.lexsort((ranks, targets, users))
    first = _changes(users[by_target], targets[by_target])
    distinct = np.sort(by_target[first])
    order = distinct[np.lexsort((targets[distinct], ranks[distinct], users[distinct]))]
    found, user = np.unique(users[order], return_inverse=True)
    place = ranks[order].astype(np.float64)
    ranked = np.ones(len(place), bool) if items is None else place <= items
    number = np.arange(len(order))
    ends = np.append(np.flatnonzero(_changes(user, place))[1:], len(order)) - 1  # of the targets of one user and rank
    tied_after = ends[np.searchsorted(ends, number)] - number
    place = np.where(ranked, place - tied_after, np.inf)
    found_places = Places(found, user, place, order, len(ranks) - len(order))
    if (wrong := np.flatnonzero(place < _number(found_places) + 1)).size:
        raise ValueError(int(order[wrong[0]]))
    return found_places


def user_metrics(found: Places, names: Sequence[str]) -> Floats:
    """Metrics of each user, (U, len(names)).

    Args:
        found: the places of the targets.
        names: ``recall@K``, ``ndcg@K``, ``hit@K``, ``map@K`` for any K, and ``mrr``.

    Raises:
        UsageError: for another name.
    """
    check_names(names)
    columns = []
    for name in names:
        cut_off = _CUT_OFF.fullmatch(name)
        columns.append(_AT[cut_off[1]](found, int(cut_off[2])) if cut_off else _mrr(found))
    return np.stack(columns, axis=1)


def check_names(names: Sequence[str]) -> None:
    """Refuse names that are no metrics.

    Raises:
        UsageError: naming the first.
    """
    for name in names:
        if name != "mrr" and cutoff_of(name) is None:
            raise UsageError(
                f"unknown metric {name!r}",
                "Metrics are recall@K, ndcg@K, hit@K and map@K for any K, such as ndcg@10, and mrr.",
            )


def cutoff_of(name: str) -> int | None:
    """The K of a metric; ``None`` for one that is not cut off, or no metric."""
    found = _CUT_OFF.fullmatch(name)
    return int(found[2]) if found else None


def mean_metrics(found: Places, names: Sequence[str]) -> dict[str, float]:
    """Means over the users, by name; there has to be one."""
    return dict(zip(names, user_metrics(found, names).mean(axis=0).tolist(), strict=True))


def _recall(found: Places, k: int) -> Floats:
    """Hits among the first K, of all targets."""
    recall: Floats = _sums(found, found.place <= k) / _targets(found)
    return recall


def _ndcg(found: Places, k: int) -> Floats:
    """DCG of the first K over that of a list that begins with all targets (Järvelin and Kekäläinen, 2002)."""
    gains = np.where(found.place <= k, 1 / np.log2(found.place + 1), 0.0)
    ideal = np.cumsum(1 / np.log2(np.arange(1, k + 1) + 1.0))
    ndcg: Floats = _sums(found, gains) / ideal[np.minimum(_targets(found), k) - 1]
    return ndcg


def _hit(found: Places, k: int) -> Floats:
    """Whether any target is among the first K."""
    return np.minimum(_sums(found, found.place <= k), 1.0)


def _map(found: Places, k: int) -> Floats:
    """Average precision: of the list up to each hit among the first K, summed, over the number of targets."""
    precision = np.where(found.place <= k, (_number(found) + 1) / found.place, 0.0)
    average: Floats = _sums(found, precision) / _targets(found)
    return average


def _mrr(found: Places) -> Floats:
    """One over the place of the first target, wherever it stands."""
    return _sums(found, np.where(_number(found) == 0, 1 / found.place, 0.0))


_AT: dict[str, Callable[[Places, int], Floats]] = {"recall": _recall, "ndcg": _ndcg, "hit": _hit, "map": _map}


def _changes(*columns: npt.NDArray[np.generic]) -> npt.NDArray[np.bool_]:
    """Which rows differ from the row before; the first does."""
    changed = np.ones(len(columns[0]), bool)
    changed[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return changed


def _sums(found: Places, values: npt.NDArray[np.generic]) -> Floats:
    """Sums over the targets of each user, (U,)."""
    return np.bincount(found.user, weights=values.astype(np.float64), minlength=len(found.users)).astype(np.float64)


def _targets(found: Places) -> Integers:
    """Distinct targets of each user, (U,)."""
    return np.bincount(found.user, minlength=len(found.users))


def _number(found: Places) -> Integers:
    """How many targets of the same user stand before each, (T,)."""
    return np.arange(len(found.user)) - np.searchsorted(found.user, found.user)
