"""The processes that share the work of a step: what each does alone, and what they hand each other.

The histories of a step are shared out, and so are the items that have to be encoded; each process hands the others the
vectors of its items, and gradients go the way back. Losses are sums over the histories of a process, divided by what
all of them count, so that the sum over the processes is what one would have computed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from stages.frame.processes.place import own_place


class Team:
    """One process that works alone: all that several would hand each other is simply there.

    Attributes:
        rank: number of this process.
        count: how many processes there are.
        generator: draws what has to be the same in all of them; ``None`` for torch's own.
        encoded: items whose vectors this process has computed in training.
        sent: bytes that it has handed to others, as a ring of processes hands them on.
    """

    rank = 0
    count = 1
    generator: torch.Generator | None = None

    def __init__(self) -> None:
        self.encoded = 0
        self.sent = 0

    def __deepcopy__(self, memo: dict[int, Any]) -> Team:
        """Copies of a model belong to the same processes."""
        return self

    @property
    def first(self) -> bool:
        """Whether this process writes files and talks."""
        return self.rank == 0

    def seed(self, number: int) -> None:
        """Let a step draw random numbers of its own."""
        torch.manual_seed(number)

    def own_items(self, items: Tensor) -> Tensor:
        """Those of the items (n,) of a step that this process encodes."""
        self.encoded += len(items)
        return items

    def all_items(self, vectors: tuple[Tensor, Tensor], count: int) -> tuple[Tensor, Tensor]:
        """Vectors (n, d) of all items of a step from those of the own ones; gradients flow back to whose they are."""
        return vectors

    def own_rows(self, count: int, unit: int) -> slice:
        """Those of ``count`` rows that are this process' share, whole units of rows."""
        return slice(0, count)

    def fill(self, table: Tensor, unit: int) -> None:
        """Complete, in place, a table (n, d) of which each process has filled its :meth:`own_rows`."""

    def joined(self, rows: Tensor, counts: Sequence[int]) -> Tensor:
        """Rows (r, d) of each process, one after the other; gradients flow back.

        Args:
            rows: of this process.
            counts: r of each process.
        """
        return rows

    def sum_losses(self, losses: dict[str, Tensor]) -> dict[str, Tensor]:
        """The losses of a step, scalars by name, from those of this process."""
        return losses

    def sum_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Add up the gradients of all processes, in place."""

    def sum(self, tensor: Tensor) -> None:
        """Add up a tensor over all processes, in place."""

    @contextmanager
    def failing_together(self, kind: type[Exception]) -> Iterator[None]:
        """Inside the block, an error of this kind in one process is an error in all of them."""
        yield

    def tell(self, number: int) -> int:
        """A number of the first process, known to all."""
        return number

    def hand_out(self, numbers: Tensor | None) -> Tensor:
        """Whole numbers (n,) of the first process, known to all as int64; the others give ``None``."""
        assert numbers is not None
        return numbers

    def require_same(self, text: str, message: str) -> None:
        """Refuse to go on where a text is not the same in all processes.

        Raises:
            ProcessError: with this message.
        """


ALONE = Team()
"""Where nothing is shared."""


@contextmanager
def joined_processes(device: torch.device, timeout: float) -> Iterator[Team]:
    """The processes that share the work of this one, as torchrun and its like have started them; else none.

    Args:
        device: where this process computes.
        timeout: seconds after which a process that does not answer ends the run.

    Raises:
        ProcessError: when the others do not come.
    """
    place = own_place()
    if place is None:
        yield Team()
        return
    from stages.model.group import Group

    with Group.opened(place, device, timeout) as group:
        yield group
