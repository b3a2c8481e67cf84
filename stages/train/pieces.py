"""Encodes many items at once within bounded memory and, on a CPU, within its caches."""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from stages.model.config import ModelConfig
from stages.train.recompute import recomputed

Encoded = tuple[Tensor, Tensor]

_BYTES = 96
"""Bytes that one element (item x code x dimension) and layer of fusion keep for the way back, in float32.

Counted with ``torch.autograd.graph.saved_tensors_hooks``; 56 in bfloat16.
"""

_KEPT_ON_CPU = 1 << 30
"""Bytes kept on a CPU; what is above is computed again on the way back."""

_CACHED = 1 << 19
"""Elements of a piece on a CPU: each tensor of it has 2 MiB, so that operations find their inputs in the cache."""


def in_pieces(config: ModelConfig, encode: Callable[..., Encoded], items: Tensor, *others: Tensor) -> Encoded:
    """Encode items piece by piece, keeping as much for the way back as memory allows.

    Args:
        config: the model's sizes.
        encode: from items (n,), and further tensors with n rows, to two tensors with n rows each.
        items: (n,) item numbers.
        others: further arguments of ``encode``.

    Returns:
        What ``encode`` gives for all items. The pieces that do not fit are encoded again on the way back.
    """
    width = max(1, config.codes) * config.dim
    kept = _kept_bytes(items.device) // (_BYTES * config.fusion_layers * width)
    # On a GPU, what is kept is one piece and what is not comes in pieces of a quarter of that.
    size = max(1, _CACHED // width) if items.device.type == "cpu" else max(1, kept // 4)
    first = min(kept // size * size, len(items))
    bounds = list(range(0, first, size)) if items.device.type == "cpu" else [0] if first else []
    bounds += [*range(first, len(items), size), len(items)]
    done = []
    for start, end in pairwise(bounds):
        piece = [tensor[start:end] for tensor in (items, *others)]
        done.append(encode(*piece) if start < first else recomputed(encode, *piece))
    one, two = zip(*done, strict=True)
    return torch.cat(one), torch.cat(two)


def _kept_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory // 3
    return _KEPT_ON_CPU
