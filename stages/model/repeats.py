"""What a history says about itself: people hardly ever, or very often, take the same item again."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stages.model.packing import PAIRS, Packing, pack


@dataclass(frozen=True)
class Seen:
    """The distinct items that each query's history holds, one entry per (query, item).

    Attributes:
        rows: (P,) number of the query, ascending.
        items: (P,) item numbers.
        ages: (P,) how many items ago it was last taken; 0 is the history's last item.
    """

    rows: Tensor
    items: Tensor
    ages: Tensor


def seen_items(histories: Tensor, packing: Packing, queries: Tensor) -> Seen:
    """The items up to and with each query's position.

    Args:
        histories: (R,) packed item numbers.
        packing: where they lie.
        queries: (T,) ascending rows of ``histories``, the positions asked about.
    """
    blocks = packing.blocks(queries, PAIRS)
    found = [_seen(histories[block.positions], block.packing, block.queries) for block in blocks]
    if len(found) == 1:
        return found[0]
    rows = torch.cat([seen.rows + block.first for seen, block in zip(found, blocks, strict=True)])
    return Seen(rows, torch.cat([seen.items for seen in found]), torch.cat([seen.ages for seen in found]))


def _seen(histories: Tensor, packing: Packing, queries: Tensor) -> Seen:
    places = torch.arange(packing.length, device=histories.device)
    items = packing.unpack(histories[:, None])[..., 0]
    again = (items[:, :, None] == items[:, None, :]) & (places[None, :] > places[:, None])
    # The place where an item is taken again; from there on, the later one counts.
    until = torch.where(again, places, packing.length).amin(2)
    row, at = packing.rows[queries], packing.columns[queries]
    holds = (places <= at[:, None]) & (at[:, None] < until[row])
    query, place = holds.nonzero(as_tuple=True)
    return Seen(query, items[row[query], place], at[query] - place)


def older_items(items: Tensor, n: int, first: Tensor, start: Tensor, end: Tensor) -> tuple[Tensor, Tensor]:
    """The distinct items that histories held before the part that is read, and do not hold there.

    Args:
        items: (interactions,) item numbers of all histories.
        n: N, size of the catalogue.
        first: (B,) where the histories begin in ``items``.
        start: (B,) where the parts begin that are read.
        end: (B,) where the histories end, after ``start``.

    Returns:
        Numbers of the histories (P,), ascending, and items (P,).
    """
    longer = (start > first).nonzero()[:, 0]
    if not len(longer):
        return longer, longer
    before, lying = pack(items, first[longer], start[longer])
    read, there = pack(items, start[longer], end[longer])
    found = torch.unique(lying.rows * (n + 1) + before)
    found = found[~torch.isin(found, there.rows * (n + 1) + read)]
    return longer[found // (n + 1)], found % (n + 1)


class RepeatBias(nn.Module):
    """A learned number added to the similarity of an item that is in the history already, by how long ago.

    The output of a history lies near its last items, so that these rank first, although in many shops nobody buys the
    same thing twice (and in others everybody does). A softmax over all items teaches these numbers which shop it is.
    Items that were taken before the part of a history that is read count as its oldest, :attr:`older`.

    Args:
        max_history: longest history, A.
    """

    def __init__(self, max_history: int) -> None:
        super().__init__()
        self.by_age = nn.Parameter(torch.zeros(max_history))

    @property
    def older(self) -> Tensor:
        """What an item is worth that was last taken A items ago or earlier, ()."""
        return self.by_age[-1]

    def forward(self, seen: Seen) -> Tensor:
        """What to add to the similarity (cosine) at each entry of ``seen``, (P,)."""
        return torch.nn.functional.embedding(seen.ages, self.by_age[:, None])[:, 0]
