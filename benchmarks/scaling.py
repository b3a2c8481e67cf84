"""How long a step would take on several GPUs, on paper: arithmetic alone, nothing is run on one.

    python -m benchmarks.scaling
    python -m benchmarks.scaling --measure WORKDIR --processes 2,4

Operations, bytes of memory and bytes between processes are counted for the default model (texts through two linear
layers, a free vector per item, a backbone of two layers), with the full softmax. What a
process does and sends follows ``stages/model/group.py``: items and histories are shared out, the weights are not. The
seconds are those of a machine that always reaches its peak; products and memory overlap there, transfers do not.

With ``--measure`` the items that a process encodes and the bytes that it sends are measured instead, by a real
``train`` on this machine's CPU.
"""

import argparse
import json
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.roofline import H100_BYTES, H100_FLOPS
from benchmarks.shapes import SHAPES, Shape
from stages.model.losses import cross_entropy
from stages.train.options import TrainOptions

NVLINK_BYTES = 450e9
"""A second, each way, of an H100 SXM's NVLink; NVIDIA's data sheet says 900 GB/s both ways together."""

_F32 = 4
_LAYERS = 2
_MEAN_HISTORY = 1_054 / 256
"""Positions a history, as in the batch of ``benchmarks.roofline``."""


@dataclass(frozen=True)
class Step:
    """What a process does in a step, and how long that takes at least.

    Attributes:
        flops: operations of matrix products.
        memory: bytes read and written.
        sent: bytes handed to other processes, and as many received.
        held: bytes of weights, their gradients, moments and averages, item vectors and their gradients, texts, codes.
        optimizer: those of Adam's two moments among them.
    """

    flops: float
    memory: float
    sent: float
    held: float
    optimizer: float

    @property
    def seconds(self) -> dict[str, float]:
        """By part, and in all."""
        parts = {"products": self.flops / H100_FLOPS, "memory": self.memory / H100_BYTES}
        sending = self.sent / NVLINK_BYTES
        return {**parts, "sending": sending, "step": max(parts.values()) + sending}


def step_of(
    shape: Shape,
    processes: int,
    chunk_scores: int = cross_entropy.chunk_scores("cuda"),
    hidden: int | None = None,
    encoder: int | None = None,
) -> Step:
    """A step of one of several processes.

    Args:
        shape: sizes; histories have the mean length of Scientific's.
        processes: that share the step.
        chunk_scores: scores held at a time.
        hidden: width of the backbone's feed-forward parts; four times that of the model when ``None``.
        encoder: the same of the item encoder.
    """
    n, d, width = shape.items, shape.dim, shape.views * shape.dim
    hidden, encoder = hidden or 4 * d, encoder or 4 * d
    share, positions = n / processes, shape.batch_size * _MEAN_HISTORY / processes
    weights = n * d + shape.codes * shape.codebook_size * d + width * encoder + encoder * d
    weights += _LAYERS * (4 * d * d + 2 * d * hidden)
    # Forward, and twice that backward; nothing flows into the texts.
    encoding = share * (2 * 2 * width * encoder + 3 * 2 * encoder * d)
    reading = positions * _LAYERS * 3 * 2 * (4 * d * d + 2 * d * hidden)
    histories, longest = shape.batch_size / processes, shape.max_history
    reading += histories * _LAYERS * 3 * 2 * 2 * longest**2 * d
    scoring = positions * n * 3 * 2 * d
    # Scores are written, turned to shares and read twice; for each chunk of them the whole table is read twice, its
    # gradient written, read, and added to the one before.
    chunks = positions / max(1, chunk_scores // n)
    memory = 5 * positions * n * _F32 + chunks * 6 * n * d * _F32
    memory += share * (2 * width + 10 * encoder + 20 * d + shape.codes * 2 * d) * _F32
    memory += (
        10 * weights * _F32
    )  # AdamW reads four numbers a weight and writes three, the average reads two and writes one
    # Histories read the same vectors that targets are ranked by.
    vectors, ring = n * d * _F32, (processes - 1) / processes
    return Step(
        flops=encoding + reading + scoring,
        memory=memory,
        sent=ring * (2 * vectors + 2 * weights * _F32),
        held=5 * weights * _F32 + 2 * vectors + n * (width + shape.codes) * _F32,
        optimizer=2 * weights * _F32,
    )


def on_paper(items: int, histories: int, processes: int, chunk_scores: int, dim: int) -> dict[str, Any]:
    """A step at a size, of one of so many processes; feed-forward parts are as wide as by default."""
    shape = replace(SHAPES["scientific"], items=items, batch_size=histories, dim=dim, levels=0)
    step = step_of(shape, processes, chunk_scores, TrainOptions.ffn_dim, TrainOptions.fusion_ffn_dim)
    return {
        "items": items,
        "histories": histories,
        "processes": processes,
        "tflop": step.flops / 1e12,
        "memory_gb": step.memory / 1e9,
        "sent_gb": step.sent / 1e9,
        "held_gb": step.held / 1e9,
        "optimizer_gb": step.optimizer / 1e9,
        **{f"{name}_ms": 1e3 * seconds for name, seconds in step.seconds.items()},
        "measured_ms": None,
    }


def measured(workdir: Path, processes: int) -> dict[str, Any]:
    """Items encoded and bytes sent a step, of the first of so many processes, by training one epoch.

    Args:
        workdir: with what ``train`` reads; nothing is written there.
        processes: that share the work.
    """
    from stages.artifacts.names import CODES, EMBEDDINGS, ITEMS, SEQUENCES
    from stages.train import train

    with tempfile.TemporaryDirectory() as folder:
        for name in (ITEMS, EMBEDDINGS, CODES, SEQUENCES):
            (Path(folder) / name).symlink_to((workdir / name).resolve())
        # Large batches, so that there are few steps: what is counted does not depend on them.
        options = TrainOptions(epochs=1, batch_size=8_192, device="cpu", threads=1, processes=processes)
        facts = train(options, workdir=Path(folder)).facts
    names = ("items_encoded_per_step", "bytes_sent_per_step")
    return {"processes": processes, "weights": facts["parameters"], **{name: facts[name] for name in names}}


def main(args: list[str] | None = None) -> None:
    """Print steps as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=_numbers, default=[1_000_000, 10_000_000])
    parser.add_argument("--histories", type=_numbers, default=[512, 4_096])
    parser.add_argument("--processes", type=_numbers, default=[1, 8])
    parser.add_argument("--dim", type=int, default=TrainOptions.dim, help="width of the model")
    parser.add_argument("--measure", type=Path, metavar="WORKDIR", help="train on these files instead, on the CPU")
    parser.add_argument(
        "--chunk-scores", type=int, default=cross_entropy.chunk_scores("cuda"), help="scores held at a time"
    )
    given = parser.parse_args(args)
    if given.measure:
        rows = [measured(given.measure, processes) for processes in given.processes]
    else:
        sizes = [(items, histories) for items in given.items for histories in given.histories]
        rows = [
            on_paper(items, histories, processes, given.chunk_scores, given.dim)
            for items, histories in sizes
            for processes in given.processes
        ]
    print(json.dumps(rows, indent=2))


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


if __name__ == "__main__":
    main()
