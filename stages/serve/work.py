"""What a request asks of a model, by item number."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from stages.recommend.items import Numbers

if TYPE_CHECKING:
    from stages.serve.snapshot import Snapshot

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
