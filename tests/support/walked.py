"""The backward pass, walked in Python: torch's engine asks the driver about a device, its formulas do not.

Each node of the graph is torch's own, or the ``backward`` of a ``torch.autograd.Function``. What the engine does
between them is done here: gradients are added up, and held against the device, type and shape of what they are of.
"""

from collections import Counter
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import BackwardCFunction


@torch.no_grad()
def backward(root: Tensor, *_: Any, **__: Any) -> None:
    """In the place of ``torch.autograd.backward`` of a scalar.

    Raises:
        RuntimeError: for a gradient that is on another device than what it is of, or does not have its shape.
    """
    start = root.grad_fn
    waiting, stack, known = Counter(), [start], {start}
    while stack:
        for child, _place in stack.pop().next_functions:
            if child is not None:
                waiting[child] += 1
                if child not in known:
                    known.add(child)
                    stack.append(child)
    given: dict[Any, dict[int, Tensor]] = {start: {0: torch.ones_like(root)}}
    ready = [start]
    while ready:
        node = ready.pop()
        edges = [(child, place) for child, place in node.next_functions if child is not None]
        for (child, place), grad in zip(edges, _gradients(node, given.pop(node, {})), strict=True):
            if grad is not None:
                fitting, held = _fitting(grad, child, place, node), given.setdefault(child, {})
                held[place] = held[place] + fitting if place in held else fitting
            waiting[child] -= 1
            if not waiting[child]:
                ready.append(child)


def _gradients(node: Any, given: dict[int, Tensor]) -> list[Tensor | None]:
    """Of the inputs of a node that have a gradient, from those of its outputs."""
    if not given:
        return [None for child, _ in node.next_functions if child is not None]
    grads = [given.get(place) for place in range(len(node._input_metadata))]
    if not isinstance(node, BackwardCFunction):
        found = node(*grads)
        found = found if isinstance(found, tuple) else (found,)
        return [grad for grad, (child, _) in zip(found, node.next_functions, strict=False) if child is not None]
    found = node.apply(*grads)
    found = found if isinstance(found, tuple) else (found,)
    return [grad for grad, needed in zip(found, node.needs_input_grad, strict=True) if needed]


def _fitting(grad: Tensor, child: Any, place: int, node: Any) -> Tensor:
    wanted = child._input_metadata[place]
    if grad.device != wanted.device:
        raise RuntimeError(f"{node.name()} gives a gradient on {grad.device}, expected on {wanted.device}")
    if grad.shape != wanted.shape:
        grad = grad.sum_to_size(wanted.shape)
    return grad.to(wanted.dtype)
