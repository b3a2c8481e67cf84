"""Finds the first step of an epoch whose losses are not finite."""

import torch
from torch import Tensor

_STEPS = 32
"""Steps between two looks where each would make the processor wait for the device."""


class DivergedError(Exception):
    """Training came to numbers that are not finite.

    Args:
        step: of the run, from 1.
        reason: what is not finite.
    """

    def __init__(self, step: int, reason: str) -> None:
        super().__init__(f"step {step}: {reason}")
        self.step, self.reason = step, reason


class FiniteLosses:
    """Watches the losses of one epoch.

    Args:
        device: where they are computed. A CPU is asked at every step, another device every 32 steps; what is told is
            the first step all the same.
    """

    def __init__(self, device: torch.device) -> None:
        self._interval = 1 if device.type == "cpu" else _STEPS
        self._first = torch.zeros((), dtype=torch.int64, device=device)

    def watch(self, step: int, losses: dict[str, Tensor]) -> None:
        """Look at the losses, scalars by name, of a step, counted from 1.

        Raises:
            DivergedError: see :meth:`check`.
        """
        finite = torch.stack([loss.detach().float() for loss in losses.values()]).isfinite().all()
        self._first = torch.where(finite | (self._first > 0), self._first, step)
        if step % self._interval == 0:
            self.check()

    def check(self) -> None:
        """Be sure of all steps so far.

        Raises:
            DivergedError: naming the first step whose losses were not finite.
        """
        if first := int(self._first):
            raise DivergedError(first, "a loss is not finite")
