"""Evaluation: users ranked per second against the whole catalogue, and peak memory.

    python -m benchmarks.evaluate
    python -m benchmarks.evaluate --users 57000 --items 25000 --reference-users 800
    python -m benchmarks.evaluate --users 100000 --items 1000000 --sides ours --runs 1 --no-warmup

The plain way fuses the catalogue and every padded position again for each batch and sorts all scores. Both sides have
the same weights, so their mean ranks agree where they rank the same users. The time of the plain way grows with the
number of batches and nothing else, so a few batches tell its speed.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from benchmarks.harness import Prepared, Side, compare, options, report
from benchmarks.shapes import SHAPES, Shape, make_catalogue, make_config, make_sequences
from stages.artifacts.sequences import Sequences
from stages.frame.allocator import keep_freed_memory
from stages.model.cocorec import CoCoRec
from stages.model.packing import Packing
from stages.model.ranking import Queries, queries, target_ranks

PLAIN_BATCH = 400
"""Users per batch of the plain way, as in the paper's settings."""


def prepare_ours(shape: Shape, *, device: str, seed: int, users: int) -> Prepared:
    """Rank as ``cocorec evaluate`` does."""
    model, items, wanted = _inputs(shape, device, seed, users)

    def run() -> tuple[float, dict[str, Any]]:
        ranks = target_ranks(model, items, wanted)
        return len(ranks), {"mean_rank": float(ranks.mean())}

    return run


@torch.no_grad()
def prepare_plain(shape: Shape, *, device: str, seed: int, users: int) -> Prepared:
    """Rank with everything computed anew for each batch."""
    model, items, wanted = _inputs(shape, device, seed, users)
    longest = shape.max_history
    everything = torch.arange(1, shape.items + 1, device=items.device)

    @torch.no_grad()
    def run() -> tuple[float, dict[str, Any]]:
        ranks = []
        for low in range(0, len(wanted.user), PLAIN_BATCH):
            start, end, target = (
                torch.from_numpy(part[low : low + PLAIN_BATCH]).to(items.device)
                for part in (wanted.start, wanted.end, wanted.target)
            )
            table = torch.nn.functional.normalize(model.encode(everything)[1], dim=-1)
            lengths = end - start
            place = torch.arange(longest, device=items.device)
            real = place < lengths[:, None]
            padded = items[(start[:, None] + place).clamp(max=len(items) - 1)] * real
            vectors = model.encode(padded.flatten())[0].unflatten(0, padded.shape)
            full = Packing.of_lengths(torch.full_like(lengths, longest), longest)
            outputs = model.backbone(vectors.flatten(0, 1), full).unflatten(0, padded.shape)
            last = outputs[torch.arange(len(lengths), device=items.device), lengths - 1]
            scores = torch.nn.functional.normalize(last, dim=-1) @ table.T
            order = scores.argsort(dim=1, descending=True)
            ranks.append((order == target[:, None] - 1).nonzero()[:, 1] + 1)
        found = torch.cat(ranks).cpu().numpy()
        return len(found), {"mean_rank": float(found.mean())}

    return run


def _inputs(shape: Shape, device: str, seed: int, users: int) -> tuple[CoCoRec, torch.Tensor, Queries]:
    keep_freed_memory()
    torch.manual_seed(seed)
    where = torch.device(device)
    sequences = _first(make_sequences(shape, seed), users)
    catalogue = make_catalogue(shape, seed)
    # The plain way knows no shift for items of the history.
    model = CoCoRec.build(replace(make_config(shape), repeat_bias=False), catalogue)
    items = torch.from_numpy(sequences.items.astype(np.int64)).to(where)
    return model.to(where).eval(), items, queries(sequences, "test", shape.max_history)


def _first(sequences: Sequences, users: int) -> Sequences:
    offsets = sequences.offsets[: users + 1]
    return Sequences(sequences.items[: offsets[-1]], offsets, sequences.train_end[:users], sequences.valid_end[:users])


def main(args: list[str] | None = None) -> None:
    """Run the benchmark."""
    parser = options(__doc__ or "", runs=3)
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    parser.add_argument("--users", type=int, default=2_000, help="users ranked")
    parser.add_argument("--items", type=int, default=4_385, help="size of the catalogue")
    parser.add_argument("--dim", type=int, default=64, help="width of the model")
    parser.add_argument("--sides", choices=("both", "ours", "reference"), default="both", help="what to measure")
    parser.add_argument("--reference-users", type=int, help="users that the reference ranks; by default all")
    arguments = parser.parse_args(args)
    shape = replace(SHAPES["scientific"], users=arguments.users, items=arguments.items, dim=arguments.dim)
    given = {"shape": shape, "device": arguments.device, "seed": arguments.seed, "users": arguments.users}
    fewer = {**given, "users": min(arguments.users, arguments.reference_users or arguments.users)}
    sides = [Side("cocorec evaluate", prepare_ours, given), Side("reference", prepare_plain, fewer)]
    chosen = {"both": sides, "ours": sides[:1], "reference": sides[1:]}[arguments.sides]
    rows = compare(chosen, runs=arguments.runs, threads=arguments.threads, warmup=arguments.warmup)
    report(
        f"evaluation: {shape.items:,} items, {shape.codes} codes, d {shape.dim}, {arguments.device}, "
        f"{arguments.threads} threads",
        arguments,
        rows,
        unit="users",
        columns=("mean_rank",),
        device=arguments.device,
    )


if __name__ == "__main__":
    main()
