"""Sparse counts of item pairs, shared by the models that count which items stand after or near each other."""

from abc import abstractmethod
from typing import Any, Self

import torch
from torch import Tensor
from torch.nn import functional as F

from stages.model.base import CountingModel
from stages.model.catalogue import Catalogue
from stages.model.config import ModelConfig

_ENTRIES = 1 << 20
"""Entries of the sparse rows that are held at a time."""


class PairCounts(CountingModel):
    """Counts of item pairs as sparse rows, and how often each item occurred.

    Buffers: ``occurrences`` (N + 1,) float32, 0 for item 0; ``starts`` (N + 2,) int64, the partners of item i are at
    ``starts[i]`` to ``starts[i + 1]``; ``followers`` (F,) int64, the partners' numbers; ``times`` (F,) float32, how
    often, or with what weight, they were found together.
    """

    occurrences: Tensor
    starts: Tensor
    followers: Tensor
    times: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        n = config.items
        self.register_buffer("occurrences", torch.zeros(n + 1))
        self.register_buffer("starts", torch.zeros(n + 2, dtype=torch.int64))
        self.register_buffer("followers", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("times", torch.zeros(0))

    @classmethod
    def restore(cls, config: ModelConfig, catalogue: Catalogue, tensors: dict[str, Tensor]) -> Self:
        """See :meth:`Model.restore`."""
        model = cls(config)
        entries = len(tensors.get("followers", ()))
        model.followers, model.times = model.followers.new_zeros(entries), model.times.new_zeros(entries)
        model.load_state_dict(tensors)
        ascending = bool((model.starts.diff() >= 0).all()) and int(model.starts[0]) == 0
        inside = not entries or bool((model.followers > 0).all() and (model.followers <= config.items).all())
        if int(model.starts[-1]) != entries or not ascending or not inside:
            raise ValueError("the counts are of another catalogue")
        return model

    @classmethod
    def with_new_items(cls, tensors: dict[str, Tensor], added: int) -> dict[str, Tensor]:
        """See :meth:`Model.with_new_items`: they occurred never and beside nothing."""
        occurrences, starts = tensors["occurrences"], tensors["starts"]
        return {
            **tensors,
            "occurrences": F.pad(occurrences, (0, added)),
            "starts": torch.cat([starts, starts[-1:].expand(added)]),
        }

    @property
    @abstractmethod
    def counted(self) -> dict[str, Any]:
        """See :attr:`CountingModel.counted`."""

    def keep(self, pairs: Tensor, times: Tensor) -> None:
        """Take the counts.

        Args:
            pairs: (F,) int64, ``i (N + 1) + j`` for items i and j, ascending.
            times: (F,) float32.
        """
        n = self.config.items
        self.starts = torch.searchsorted(pairs, torch.arange(n + 2) * (n + 1))
        self.followers, self.times = pairs % (n + 1), times

    def add_rows(self, scores: Tensor, rows: Tensor, items: Tensor, weights: Tensor | None = None) -> None:
        """Add sparse rows to rows of scores, in place, some at a time.

        Args:
            scores: (q, N + 1).
            rows: (p,) ascending rows of ``scores``.
            items: (p,) items whose sparse rows are added there.
            weights: (p,) what these are multiplied by; all 1 when ``None``.
        """
        count = self.starts[items + 1] - self.starts[items]
        ends = count.cumsum(0)
        for low, high in _bounds(ends, _ENTRIES):
            row = torch.repeat_interleave(torch.arange(low, high, device=items.device), count[low:high])
            first = ends[low - 1] if low else 0
            place = torch.arange(len(row), device=items.device) - (ends - count - self.starts[items])[row] + first
            times = self.times[place] if weights is None else self.times[place] * weights[row]
            scores.view(-1).index_add_(0, rows[row] * scores.shape[1] + self.followers[place], times)


def _bounds(ends: Tensor, most: int) -> list[tuple[int, int]]:
    """Cuts rows that end at ``ends`` (p,) into stretches of about ``most`` entries, each of at least one row."""
    total = int(ends[-1]) if len(ends) else 0
    marks = torch.arange(most, total + most, most, device=ends.device)
    cuts = torch.unique(torch.searchsorted(ends, marks, right=False) + 1).clamp_(max=len(ends)).tolist()
    return list(zip([0, *cuts[:-1]], cuts, strict=True)) if cuts else []
