"""Several processes that share the work of a step, over ``torch.distributed``: gloo on CPUs, NCCL on NVIDIA GPUs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional as F

from stages.artifacts.errors import ProcessError, shortage
from stages.frame.processes.place import Place
from stages.model.team import Team

_LARGE = 1 << 20
"""Elements of a gradient that goes by itself; smaller ones go together."""


class Group(Team):
    """The other processes of this one; see :class:`Team`. Made by :meth:`opened`.

    Args:
        place: of this process.
        device: where tensors are.
        timeout: seconds that it waits for the others.
    """

    generator: torch.Generator

    def __init__(self, place: Place, device: torch.device, timeout: float) -> None:
        super().__init__()
        self.rank, self.count = place.rank, place.count
        self.generator = torch.Generator(device)
        self._device, self._timeout = device, timeout
        self._graded: set[tuple[bool, ...]] = set()

    @classmethod
    @contextmanager
    def opened(cls, place: Place, device: torch.device, timeout: float) -> Iterator[Group]:
        """Meet the other processes, and part from them when the block has ended well.

        Args:
            place, device, timeout: see above.

        Raises:
            ProcessError: when they do not come.
        """
        group = cls(place, device, timeout)
        if device.type == "cuda":
            torch.cuda.set_device(device)
        with group._answered():
            dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=timedelta(seconds=timeout))
        yield group
        dist.destroy_process_group()

    def seed(self, number: int) -> None:
        """See :meth:`Team.seed`: dropout and the like differ between processes, what they share does not."""
        self.generator.manual_seed(number)
        digest = hashlib.blake2b(f"{number}/{self.rank}".encode(), digest_size=7).digest()
        torch.manual_seed(int.from_bytes(digest, "big"))

    def own_items(self, items: Tensor) -> Tensor:
        """See :meth:`Team.own_items`: equally many in each process, the last item repeated to come out even."""
        share = -(-len(items) // self.count)
        first = min(self.rank * share, len(items))
        own = items[first : first + share]
        self.encoded += share
        return torch.cat([own, items[-1:].expand(share - len(own))])

    def all_items(self, vectors: tuple[Tensor, Tensor], count: int) -> tuple[Tensor, Tensor]:
        """See :meth:`Team.all_items`; in one transfer, so that the order of transfers is the same everywhere."""
        history, candidate = vectors
        if history is candidate:
            whole = self._gathered(history)[:count]
            return whole, whole
        both = self._gathered(torch.cat([history, candidate], 1))[:count]
        return both[:, : history.shape[1]], both[:, history.shape[1] :]

    def own_rows(self, count: int, unit: int) -> slice:
        """See :meth:`Team.own_rows`."""
        share = self._share(count, unit)
        return slice(min(self.rank * share, count), min((self.rank + 1) * share, count))

    def fill(self, table: Tensor, unit: int) -> None:
        """See :meth:`Team.fill`."""
        share, own = self._share(len(table), unit), table[self.own_rows(len(table), unit)]
        table.copy_(self._gather(F.pad(own, (0, 0, 0, share - len(own))))[: len(table)])

    def joined(self, rows: Tensor, counts: Sequence[int]) -> Tensor:
        """See :meth:`Team.joined`."""
        most = max(counts)
        whole = self._gathered(F.pad(rows, (0, 0, 0, most - len(rows))))
        return torch.cat([whole[number * most : number * most + own] for number, own in enumerate(counts)])

    def sum_losses(self, losses: dict[str, Tensor]) -> dict[str, Tensor]:
        """See :meth:`Team.sum_losses`."""
        total = torch.stack([loss.detach().double() for loss in losses.values()])
        self.sum(total)
        return dict(zip(losses, total.unbind(), strict=True))

    def sum_gradients(self, parameters: Iterable[Tensor]) -> None:
        """See :meth:`Team.sum_gradients`."""
        known = list(parameters)
        self._check_graded(tuple(parameter.grad is not None for parameter in known))
        small: dict[torch.dtype, list[Tensor]] = {}
        for parameter in known:
            if (grad := parameter.grad) is None:
                continue
            if grad.numel() >= _LARGE and grad.is_contiguous():
                self.sum(grad)
            else:
                small.setdefault(grad.dtype, []).append(grad)
        for grads in small.values():
            joined = torch.cat([grad.flatten() for grad in grads])
            self.sum(joined)
            for grad, part in zip(grads, torch.split(joined, [grad.numel() for grad in grads]), strict=True):
                grad.copy_(part.view_as(grad))

    def sum(self, tensor: Tensor) -> None:
        """See :meth:`Team.sum`."""
        self.sent += self._ring(tensor, 2)
        with self._answered():
            dist.all_reduce(tensor)

    @contextmanager
    def failing_together(self, kind: type[Exception]) -> Iterator[None]:
        """See :meth:`Team.failing_together`."""
        error: Exception | None = None
        try:
            yield
        except kind as found:
            error = found
        failed = torch.tensor(float(error is not None), device=self._device)
        self.sum(failed)
        if error is not None:
            raise error
        if failed > 0:
            raise kind("it is so in another of the processes")

    def tell(self, number: int) -> int:
        """See :meth:`Team.tell`."""
        told = torch.tensor([number], dtype=torch.int64, device=self._device)
        with self._answered():
            dist.broadcast(told, 0)
        return int(told)

    def hand_out(self, numbers: Tensor | None) -> Tensor:
        """See :meth:`Team.hand_out`."""
        count = self.tell(0 if numbers is None else len(numbers))
        told = torch.empty(count, dtype=torch.int64, device=self._device) if numbers is None else numbers
        told = told.to(self._device, torch.int64)
        with self._answered():
            dist.broadcast(told, 0)
        return told

    def require_same(self, text: str, message: str) -> None:
        """See :meth:`Team.require_same`."""
        own = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=7).digest(), "big")
        found = torch.tensor([own, -own], dtype=torch.int64, device=self._device)
        with self._answered():
            dist.all_reduce(found, dist.ReduceOp.MAX)
        if found.tolist() != [own, -own]:
            raise ProcessError(message)

    def _share(self, rows: int, unit: int) -> int:
        return -(-rows // (unit * self.count)) * unit

    def _check_graded(self, graded: tuple[bool, ...]) -> None:
        """Be sure that all processes add up the gradients of the same weights, for they would wait for ever."""
        if graded not in self._graded:
            self.require_same(str(graded), "the processes have gradients of different weights")
            self._graded.add(graded)

    def _ring(self, tensor: Tensor, rounds: int) -> int:
        """Bytes that each of a ring of processes hands on so that all have, or have added up, a tensor."""
        return rounds * tensor.numel() * tensor.element_size() * (self.count - 1) // self.count

    def _gathered(self, own: Tensor) -> Tensor:
        gathered: Tensor = _Gathered.apply(own, self)  # type: ignore[no-untyped-call]
        return gathered

    def _gather(self, own: Tensor) -> Tensor:
        own = own.contiguous()
        whole = own.new_empty(self.count * len(own), *own.shape[1:])
        self.sent += self._ring(whole, 1)
        with self._answered():
            _ALL_GATHER(whole, own)
        return whole

    def _scatter(self, whole: Tensor) -> Tensor:
        whole = whole.contiguous()
        own = whole.new_empty(len(whole) // self.count, *whole.shape[1:])
        self.sent += self._ring(whole, 1)
        with self._answered():
            _REDUCE_SCATTER(own, whole)
        return own

    @contextmanager
    def _answered(self) -> Iterator[None]:
        """Inside the block, errors are those of a connection."""
        try:
            yield
        except RuntimeError as error:
            if shortage(error):
                raise
            told = str(error).partition("\n")[0][:200]
            raise ProcessError(
                f"process {self.rank} of {self.count} lost the others or waited {self._timeout:g} s for them: {told}",
                "The same command goes on from the work that is finished; --process-timeout waits longer.",
            ) from error


_ALL_GATHER: Any = getattr(dist, "all_gather_single", None) or dist.all_gather_into_tensor
_REDUCE_SCATTER: Any = getattr(dist, "reduce_scatter_single", None) or dist.reduce_scatter_tensor


class _Gathered(torch.autograd.Function):
    """Rows of all processes, one after the other; the gradients of each row are added up where it came from."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, group: Group) -> Tensor:
        ctx.group = group
        return group._gather(own)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return ctx.group._scatter(grads[0]), None
