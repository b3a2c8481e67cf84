"""Encodes many items at once within bounded memory and, on a CPU, within its caches."""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from stages.model.recompute import recomputed

Encoded = tuple[Tensor, Tensor]

_BYTES = 96
"""Bytes that one element (item x code x dimension) and layer of fusion keep for the backward pass, in float32.

Counted with ``torch.autograd.graph.saved_tensors_hooks``; 56 in bfloat16.
"""

_KEPT_ON_CPU = 1 << 30
"""Bytes kept on a CPU; what is above is computed again in the backward pass."""

_CACHED = 1 << 19
"""Elements of a chunk on a CPU: each tensor of it has 2 MiB, so that operations find their inputs in the cache."""


def in_chunks(encode: Callable[..., Encoded], items: Tensor, *others: Tensor, width: int, layers: int) -> Encoded:
    """Encode items chunk by chunk, keeping as much for the backward pass as memory allows.

    Args:
        encode: from items (n,), and further tensors with n rows, to two tensors with n rows each.
        items: (n,) item numbers.
        others: further arguments of ``encode``.
        width: elements that a layer holds of an item.
        layers: layers of the encoder.

    Returns:
        What ``encode`` gives for all items. The chunks that do not fit are encoded again in the backward pass.
    """
    kept = _kept_bytes(items.device) // (_BYTES * max(1, layers) * width)
    # On a GPU, what is kept is one chunk and what is not comes in chunks of a quarter of that.
    size = max(1, _CACHED // width) if items.device.type == "cpu" else max(1, kept // 4)
    first = min(kept // size * size, len(items))
    bounds = list(range(0, first, size)) if items.device.type == "cpu" else [0] if first else []
    bounds += [*range(first, len(items), size), len(items)]
    done = []
    for start, end in pairwise(bounds):
        chunk = [tensor[start:end] for tensor in (items, *others)]
        done.append(encode(*chunk) if start < first else recomputed(encode, *chunk))
    one, two = zip(*done, strict=True)
    joined = torch.cat(one)
    # An item that has but one vector has it once.
    return joined, joined if all(first is second for first, second in done) else torch.cat(two)


def _kept_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory // 3
    return _KEPT_ON_CPU
