"""What a model learns from in one step."""

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
    """

    items: Tensor
    packing: Packing
    counted: Tensor
    targets: Tensor
    candidates: Tensor | None = None
