"""Numbers that are added to the similarity of a history and some of the candidates."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Shifts:
    """What to add to similarities, one entry per (query, item); several entries of one pair add up.

    Attributes:
        rows: (P,) number of the query, ascending.
        items: (P,) item numbers.
        values: (P,) what is added.
    """

    rows: Tensor
    items: Tensor
    values: Tensor

    @classmethod
    def joined(cls, parts: Sequence["Shifts"]) -> "Shifts":
        """All entries of several, each of later queries than the one before.

        Args:
            parts: at least one.
        """
        if len(parts) == 1:
            return parts[0]
        return cls(*(torch.cat([getattr(part, name) for part in parts]) for name in ("rows", "items", "values")))

    @classmethod
    def merged(cls, parts: Sequence["Shifts"], queries: int) -> "Shifts":
        """All entries of several, ascending by query again.

        Args:
            parts: at least one.
            queries: T, how many queries there are.
        """
        if len(parts) == 1:
            return parts[0]
        # Each part is in order, so that an entry's place follows from counts; to sort a million entries is slow.
        counts = torch.stack([torch.bincount(part.rows, minlength=queries) for part in parts], 1)
        begins = (counts.flatten().cumsum(0) - counts.flatten()).view_as(counts)
        within = counts.cumsum(0) - counts
        place = torch.cat(
            [
                begins[part.rows, number]
                + torch.arange(len(part.rows), device=part.rows.device)
                - within[part.rows, number]
                for number, part in enumerate(parts)
            ]
        )
        order = torch.empty_like(place)
        order[place] = torch.arange(len(place), device=place.device)
        joined = (torch.cat([getattr(part, name) for part in parts]) for name in ("rows", "items", "values"))
        return cls(*(one.index_select(0, order) for one in joined))

    def times(self, factor: Tensor) -> "Shifts":
        """The same entries with all values multiplied by a number ()."""
        return Shifts(self.rows, self.items, self.values * factor)

    def without(self, items: Tensor) -> "Shifts":
        """All entries but those of some items.

        Args:
            items: (N + 1,) bool by item number.
        """
        kept = (~items[self.items]).nonzero().squeeze(1)
        return Shifts(*(one.index_select(0, kept) for one in (self.rows, self.items, self.values)))

    def among(self, known: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor]:
        """Where they are in a table of some items.

        Args:
            known: (n,) item numbers, ascending.

        Returns:
            Rows and columns, each (P',), of the entries whose item is known, and their values (P',).
        """
        column = torch.searchsorted(known, self.items).clamp_(max=len(known) - 1)
        found = known.index_select(0, column) == self.items
        if bool(found.all()):
            return (self.rows, column), self.values
        kept = found.nonzero().squeeze(1)
        return (self.rows[kept], column[kept]), self.values.index_select(0, kept)
