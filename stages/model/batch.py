"""What a model learns from in one step."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from stages.model.packing import Packing


@dataclass(frozen=True)
class Batch:
    """Some histories, packed, and the items that follow.

    Attributes:
        items: (R,) item numbers read.
        packing: where they lie.
        counted: (R',) positions whose next item is a target, R' at most R.
        targets: (R',) the next items at these positions.
        candidates: (S,) items to rank against, ascending, the others of this batch among them; ``None`` for the whole
            catalogue.
        part: what the histories are a part of, where several processes share a step.
    """

    items: Tensor
    packing: Packing
    counted: Tensor
    targets: Tensor
    candidates: Tensor | None = None
    part: Part | None = None

    @property
    def step(self) -> Batch:
        """What all processes together learn from in this step."""
        return self if self.part is None else self.part.step


@dataclass(frozen=True)
class Part:
    """Where the histories of a process stand among those of a step.

    Attributes:
        step: all histories of the step.
        positions: which of the items read there are read here.
        targets: how many targets each process has; none where there are fewer histories than processes, which then
            read one that is another's.
        first: the number of the first target here among all.
    """

    step: Batch
    positions: slice
    targets: tuple[int, ...]
    first: int
