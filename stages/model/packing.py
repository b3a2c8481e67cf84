"""Histories of different lengths, one after the other, and how to lay them out in a rectangle."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Packing:
    """How the positions of B packed histories lie in a (B, L) rectangle, left-aligned.

    Attributes:
        rows: (R,) the history each position belongs to.
        columns: (R,) its place in the history, 0 is the oldest item kept.
        batch: B.
        length: L, the longest history.
    """

    rows: Tensor
    columns: Tensor
    batch: int
    length: int

    @classmethod
    def of_lengths(cls, lengths: Tensor, longest: int | None = None) -> "Packing":
        """The packing of histories of these lengths (B,); pass ``longest`` where known to spare a device sync."""
        rows = torch.repeat_interleave(torch.arange(len(lengths), device=lengths.device), lengths)
        starts = torch.cumsum(lengths, 0) - lengths
        columns = torch.arange(len(rows), device=lengths.device) - starts[rows]
        return cls(rows, columns, len(lengths), int(lengths.max()) if longest is None else longest)

    def unpack(self, packed: Tensor) -> Tensor:
        """(R, d) to (B, L, d), zero at padding."""
        out = packed.new_zeros(self.batch * self.length, packed.shape[-1])
        index = self.rows * self.length + self.columns
        return out.index_copy(0, index, packed).view(self.batch, self.length, -1)

    def pack(self, padded: Tensor) -> Tensor:
        """(B, L, d) to (R, d)."""
        return padded.flatten(0, 1).index_select(0, self.rows * self.length + self.columns)

    @property
    def last(self) -> Tensor:
        """Where each history's last item stands among the packed items, (B,)."""
        return torch.bincount(self.rows, minlength=self.batch).cumsum(0) - 1


def pack(items: Tensor, start: Tensor, end: Tensor, longest: int | None = None) -> tuple[Tensor, Packing]:
    """Histories ``items[start:end]`` one after the other (R,), and their packing; no history may be empty."""
    packing = Packing.of_lengths(end - start, longest)
    return items[start[packing.rows] + packing.columns], packing
