"""What is chosen on validation once the weights are learned: how much evidence counts that training cannot weigh.

The vectors have seen the histories that they are trained on, so that counts and likeness of texts add little there. To
a later history they say more, and most of all for items that training hardly saw.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.model.neighbours import Neighbours
from stages.model.packing import Packing
from stages.model.repeats import Seen
from stages.model.shifts import Shifts

NEIGHBOURS = 50
"""K, items most alike in their texts that are kept of each item."""

_COSINES = 1 << 22
"""Cosines held at a time, 16 MiB."""


class Calibration(nn.Module):
    """Two numbers, and the nearest items by text that one of them is about; used only outside of training.

    Candidates that are near the last items of a history in their texts rank higher, by ``text_weight`` times their
    cosine, divided by how far back the item stands; 0 until :meth:`find` has been called. What the co-occurrence bias
    adds is multiplied by ``pair_factor``.

    Buffers: ``text_weight`` (); ``pair_factor`` (); ``nearest`` (N + 1, K) int32, 0 where there are fewer, and
    ``cosines`` (N + 1, K) float16; both empty, (0, K), where ``text_weight`` is 0.

    Args:
        recent: how many of the last items are asked.
    """

    text_weight: Tensor
    pair_factor: Tensor
    nearest: Tensor
    cosines: Tensor

    def __init__(self, recent: int) -> None:
        super().__init__()
        self.recent = recent
        self.register_buffer("text_weight", torch.zeros(()))
        self.register_buffer("pair_factor", torch.ones(()))
        self.register_buffer("nearest", torch.zeros(0, NEIGHBOURS, dtype=torch.int32))
        self.register_buffer("cosines", torch.zeros(0, NEIGHBOURS, dtype=torch.float16))

    def find(self, texts: Tensor) -> None:
        """Find the neighbours of all items.

        Args:
            texts: (N + 1, M, t) view vectors, zero where missing; row 0 is no item.
        """
        self.forget()
        self.follow(texts)

    def forget(self) -> None:
        """Hold no neighbours."""
        self.nearest, self.cosines = self.nearest[:0], self.cosines[:0]

    def follow(self, texts: Tensor) -> None:
        """Find the neighbours of the items that came later, and let earlier items have them as neighbours.

        Args:
            texts: as of :meth:`find`.

        Raises:
            ValueError: when there are neighbours already, and they are of another catalogue.
        """
        self._check(len(texts))
        known, vectors = max(1, len(self.nearest)), texts.flatten(1).float()
        if known >= len(vectors):
            return
        top = min(NEIGHBOURS, len(vectors) - 1)
        later = torch.arange(known, len(vectors), device=vectors.device)
        found, cosines = Neighbours(vectors).nearest(later, top=top)
        nearest = torch.from_numpy(np.pad(found, ((0, 0), (0, NEIGHBOURS - top)))).to(self.nearest.device)
        values = torch.from_numpy(np.pad(np.where(found > 0, cosines, 0), ((0, 0), (0, NEIGHBOURS - top))))
        earlier = self._with_later(vectors, later) if known > 1 else self._nobody()
        self.nearest = torch.cat([earlier[0], nearest])
        self.cosines = torch.cat([earlier[1], values.to(self.cosines)])

    def _check(self, width: int) -> None:
        inside = not len(self.nearest) or (int(self.nearest.min()) >= 0 and int(self.nearest.max()) < width)
        if len(self.nearest) > width or self.nearest.shape != self.cosines.shape or not inside:
            raise ValueError("the neighbours by text are of another catalogue")

    def _nobody(self) -> tuple[Tensor, Tensor]:
        return self.nearest.new_zeros(1, NEIGHBOURS), self.cosines.new_zeros(1, NEIGHBOURS)

    def _with_later(self, vectors: Tensor, later: Tensor) -> tuple[Tensor, Tensor]:
        """Neighbours and cosines of the items that are known, those that came later among them."""
        directions = F.normalize(vectors, dim=-1)
        nearest, cosines = self.nearest.clone(), self.cosines.clone()
        step = max(1, _COSINES // len(later))
        for low in range(1, len(nearest), step):
            part = slice(low, min(low + step, len(nearest)))
            new = directions[part] @ directions[later].T
            values = torch.cat([cosines[part], new.to(cosines)], 1)
            items = torch.cat([nearest[part], later.to(nearest).expand(len(new), -1)], 1)
            best = values.sort(dim=1, descending=True, stable=True).indices[:, :NEIGHBOURS]
            nearest[part], cosines[part] = items.gather(1, best), values.gather(1, best)
        return nearest, cosines

    def values(self) -> Tensor:
        """What each neighbour adds (N + 1, K, recent), by age of its item."""
        return self._worth(self.cosines[..., None], torch.arange(self.recent, device=self.cosines.device))

    def _worth(self, cosines: Tensor, age: Tensor) -> Tensor:
        """What neighbours with these cosines add, by the age of their item; the shapes broadcast."""
        return self.text_weight * cosines.float().clamp(min=0) / (1 + age)

    def forward(self, histories: Tensor, packing: Packing, queries: Tensor, seen: Seen) -> Shifts | None:
        """What the texts say at some positions; nothing of items that the history holds.

        Args:
            histories: (R,) packed item numbers.
            packing: where they lie.
            queries: (T,) ascending rows of ``histories``, the positions asked about.
            seen: what :func:`stages.model.repeats.seen_items` says of them.

        Returns:
            ``None`` where nothing is added.
        """
        if not len(self.nearest):
            return None
        ages = torch.arange(self.recent, device=queries.device)
        query, age = (ages <= packing.columns[queries][:, None]).nonzero(as_tuple=True)
        item = histories[queries[query] - age]
        partners = self.nearest[item].long()
        values = self._worth(self.cosines[item], age[:, None])
        rows, width = query[:, None].expand_as(partners), len(self.nearest)
        held = (seen.rows * width + seen.items).sort().values
        key = rows * width + partners
        kept = (partners > 0) & (held[torch.searchsorted(held, key).clamp_(max=len(held) - 1)] != key)
        return Shifts(rows[kept], partners[kept], values[kept])

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """Take neighbours of any number of items."""
        for name in ("nearest", "cosines"):
            found = state_dict.get(prefix + name)
            if found is not None and found.shape[1:] == getattr(self, name).shape[1:]:
                setattr(self, name, getattr(self, name).new_zeros(found.shape))
        super()._load_from_state_dict(state_dict, prefix, *args)
