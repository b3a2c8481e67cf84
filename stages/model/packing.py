"""Histories of different lengths, one after the other, and how to lay them out in a rectangle."""

from dataclasses import dataclass

import torch
from torch import Tensor

PAIRS = 1 << 22
"""Pairs of places of histories that are held at a time, 32 MiB for a number of 8 bytes of each."""


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

    def blocks(self, queries: Tensor, most: int) -> list["Block"]:
        """Cut so that each block's pairs of places, histories x L x L, are few; waits for the device unless one is all.

        Args:
            queries: (T,) ascending positions that are asked about, numbers of packed items.
            most: pairs of places in a block, if it has more than one history.
        """
        size = max(1, most // max(1, (self.length + 1) ** 2))
        if self.batch <= size:
            return [Block(self, slice(0, len(self.rows)), slice(0, self.batch), queries, 0)]
        first = torch.arange(0, self.batch, size, device=self.rows.device)
        at = torch.searchsorted(self.rows, first)
        bounds = torch.stack([at, torch.searchsorted(queries, at)]).tolist()
        found = []
        ends = ([*bounds[0][1:], len(self.rows)], [*bounds[1][1:], len(queries)])
        for number, (low, high, of, to) in enumerate(zip(bounds[0], ends[0], bounds[1], ends[1], strict=True)):
            begin = number * size
            end = min(begin + size, self.batch)
            part = Packing(self.rows[low:high] - begin, self.columns[low:high], end - begin, self.length)
            found.append(Block(part, slice(low, high), slice(begin, end), queries[of:to] - low, of))
        return found

    @property
    def last(self) -> Tensor:
        """Where each history's last item stands among the packed items, (B,)."""
        return torch.bincount(self.rows, minlength=self.batch).cumsum(0) - 1


@dataclass(frozen=True)
class Block:
    """Some of the histories of a packing, one after the other.

    Attributes:
        packing: of these histories alone.
        positions: which of all packed items are theirs.
        histories: which of all histories they are.
        queries: (t,) the positions asked about, counted among theirs.
        first: the number of their first query among all.
    """

    packing: Packing
    positions: slice
    histories: slice
    queries: Tensor
    first: int


def pack(items: Tensor, start: Tensor, end: Tensor, longest: int | None = None) -> tuple[Tensor, Packing]:
    """Histories ``items[start:end]`` one after the other (R,), and their packing; no history may be empty."""
    packing = Packing.of_lengths(end - start, longest)
    return items[start[packing.rows] + packing.columns], packing
