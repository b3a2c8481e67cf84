"""What a training step has to compute and to move, how fast an H100 could do that, and how fast a GPU at hand does it.

    python -m benchmarks.roofline
    python -m benchmarks.roofline --device cuda         and how fast a GPU does it

Matrix products are counted by :class:`torch.utils.flop_counter.FlopCounterMode`. Bytes are those of the inputs and
outputs of every operator, whole tables where a few rows are read, as if nothing stayed in a cache and nothing were
fused, in float32 as on the CPU: an upper bound. Sizes are those of ``benchmarks.shapes``; codes and texts are random.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.shapes import SHAPES, make_catalogue, make_config, make_objective, make_sequences
from stages.frame.allocator import keep_freed_memory
from stages.model.cocorec import CoCoRec
from stages.model.device import autocast
from stages.train.adamw import AdamW
from stages.train.average import WeightAverage
from stages.train.options import TrainOptions
from stages.train.windows import WINDOWS, Sampler

H100_FLOPS, H100_BYTES = 989e12, 3.35e12
"""A second of an H100 SXM: dense bfloat16 products, and bytes of its memory; NVIDIA's data sheet."""


class BytesMoved(TorchDispatchMode):
    """Adds up the bytes that operators read and write; views move none.

    Attributes:
        total: bytes so far.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operator and count."""
        out = func(*args, **(kwargs or {}))
        if not func.is_view:
            tensors = [x for x in tree_leaves((args, kwargs, out)) if isinstance(x, torch.Tensor)]
            self.total += sum({id(x): x.numel() * x.element_size() for x in tensors}.values())
        return out


def measure(
    shape_name: str, seed: int, steps: int, fusion_layers: int = TrainOptions.fusion_layers, device: str = "cpu"
) -> dict[str, Any]:
    """FLOPs, bytes and seconds of a step, with the bounds of an H100.

    Args:
        shape_name: of ``SHAPES``.
        seed: of the data and the weights.
        steps: that are timed; their median counts.
        fusion_layers: of the model; by default those of ``cocorec train``, whose other options are at their defaults.
        device: where steps are timed; on a GPU by the clock, from one step's start to that of the next.
    """
    keep_freed_memory()
    torch.manual_seed(seed)
    where = torch.device(device)
    shape = SHAPES[shape_name]
    sequences = make_sequences(shape, seed)
    config = replace(make_config(shape), fusion_layers=fusion_layers)
    model = CoCoRec.build(config, make_catalogue(shape, seed))
    model.count(sequences)
    model.to(where).train()
    optimizer, average, objective = (
        AdamW(model.parameters(), 0.004, 1e-4),
        WeightAverage(model, 0.98),
        make_objective(0),
    )
    items = torch.from_numpy(sequences.items.astype(np.int64)).to(where)
    sampler = Sampler(items, WINDOWS["all"](sequences, shape.max_history), shape.batch_size, seed)
    batch = sampler.batch(sampler.order(0), 0)

    def step() -> None:
        with autocast(where, "auto"):
            loss = model.losses(batch, objective)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        average.update(model)

    step()
    seconds, on_processor = _timed(step, steps, where)
    counter, moved = FlopCounterMode(display=False), BytesMoved()
    with counter:
        step()
    with moved:
        step()
    flops = counter.get_total_flops()
    return {
        "shape": shape_name,
        "targets": len(batch.targets),
        "gflop": flops / 1e9,
        "gbyte": moved.total / 1e9,
        "device": device,
        "cpu_seconds": on_processor,
        "h100_compute_seconds": flops / H100_FLOPS,
        "h100_memory_seconds": moved.total / H100_BYTES,
        "gpu_measured_seconds": seconds if where.type == "cuda" else None,
    }


def _timed(step: Callable[[], None], steps: int, device: torch.device) -> tuple[float, float]:
    """Seconds of a step by the clock, the mean of steps that are not waited for, and its median CPU seconds."""
    on_processor = []
    _wait_for(device)
    began = time.perf_counter()
    for _ in range(steps):
        before = time.process_time()
        step()
        on_processor.append(time.process_time() - before)
    _wait_for(device)
    return (time.perf_counter() - began) / steps, float(np.median(on_processor))


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def main(args: list[str] | None = None) -> None:
    """Print what a step needs, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="scientific")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=5, help="steps that are timed")
    parser.add_argument("--fusion-layers", type=int, default=TrainOptions.fusion_layers)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    given = parser.parse_args(args)
    print(json.dumps(measure(given.shape, given.seed, given.steps, given.fusion_layers, given.device), indent=2))


if __name__ == "__main__":
    main()
