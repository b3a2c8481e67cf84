"""Training: rows per second and peak memory of this toolkit and of a plain implementation of the method.

    python -m benchmarks.train                          a catalogue like Scientific's, a few minutes on two cores
    python -m benchmarks.train --shape paper --sides ours --runs 2 --steps 1 --no-warmup
    python -m benchmarks.train --shape musical --device cuda --steps 50 --profile

A row is a history and the item after it. With ``--targets all``, the default of ``cocorec train``, one pass over a
history counts as many rows as it has targets.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from benchmarks.harness import Prepared, Side, compare, options, report
from benchmarks.reference import ReferenceModel, ReferenceStep, prefix_rows
from benchmarks.shapes import SHAPES, Shape, make_catalogue, make_config, make_objective, make_sequences
from stages.frame.allocator import keep_freed_memory, return_freed_memory
from stages.model.cocorec import CoCoRec
from stages.model.device import autocast
from stages.train.average import WeightAverage
from stages.train.windows import WINDOWS, Sampler

SIZES = ("items", "users", "views", "levels", "dim", "batch_size", "negatives", "codebook_size", "max_history")
LEARNING_RATE, WEIGHT_DECAY, AVERAGE = 0.004, 1e-4, 0.98


def prepare_ours(
    shape: Shape, *, targets: str, device: str, steps: int, seed: int, negatives: int, profile: bool
) -> Prepared:
    """Steps as ``cocorec train`` does them, of the model and losses of the reference."""
    _settings(device, seed)
    torch.use_deterministic_algorithms(device == "cpu", warn_only=True)
    deterministic: Any = torch.utils.deterministic  # the setting is a property that type checkers do not see
    deterministic.fill_uninitialized_memory = False
    where = torch.device(device)
    sequences, catalogue = make_sequences(shape, seed), make_catalogue(shape, seed)
    # What the reference has: both masked losses, and neither the bias nor the free vectors of today's default.
    config = replace(make_config(shape), cooccurrence_bias=False, with_ids=False)
    model = CoCoRec.build(config, catalogue)
    model.to(where).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY, fused=True)
    average = WeightAverage(model, AVERAGE)
    masked = {name: getattr(ReferenceStep, name) for name in ("mcm_weight", "msa_weight")}
    objective = replace(make_objective(negatives), **masked)
    items = torch.from_numpy(sequences.items.astype(np.int64)).to(where)
    windows = WINDOWS[targets](sequences, shape.max_history)
    sampler = Sampler(items, windows, shape.batch_size, seed)
    batches = _forever(lambda epoch: sampler.order(epoch), len(sampler))

    def step() -> int:
        with torch.profiler.record_function("batch"):
            batch = sampler.batch(*next(batches))
        with torch.profiler.record_function("forward"), autocast(where, "auto"):
            loss = model.losses(batch, objective)["loss"]
        _update(loss, optimizer)
        with torch.profiler.record_function("average of the weights"):
            average.update(model)
        return len(batch.targets)

    facts = {"rows_an_epoch": windows.targets, "mean_history": round(float(windows.length.mean()), 2)}
    return _runner(step, steps, where, facts, profile)


def prepare_reference(shape: Shape, *, device: str, steps: int, seed: int, negatives: int, profile: bool) -> Prepared:
    """Steps of the plain implementation."""
    _settings(device, seed)
    where = torch.device(device)
    sequences, catalogue = make_sequences(shape, seed), make_catalogue(shape, seed)
    assert catalogue.codes is not None
    assert catalogue.texts is not None
    model = ReferenceModel(shape, catalogue.codes, catalogue.texts).to(where).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    one_step = ReferenceStep(model, shape, set(range(1, shape.items + 1)), where, negatives)
    rows = prefix_rows(sequences, shape.max_history)
    batches = _forever(
        lambda epoch: np.random.default_rng((seed, epoch)).permutation(len(rows)), -(-len(rows) // shape.batch_size)
    )

    def step() -> int:
        order, index = next(batches)
        with torch.profiler.record_function("forward"):
            batch = [rows[at] for at in order[index * shape.batch_size : (index + 1) * shape.batch_size]]
            loss = one_step(batch)
        _update(loss, optimizer)
        return len(batch)

    length = np.mean([len(history) for history, _ in rows])
    facts = {"rows_an_epoch": len(rows), "mean_history": round(float(length), 2)}
    return _runner(step, steps, where, facts, profile)


def _settings(device: str, seed: int) -> None:
    keep_freed_memory()
    torch.manual_seed(seed)
    random.seed(seed)


def _forever(order: Callable[[int], Any], count: int) -> Iterator[tuple[Any, int]]:
    """The order of each epoch with the number of each of its batches; the last one, which may be short, is left out."""
    epoch = 0
    while True:
        current = order(epoch)
        for index in range(max(1, count - 1)):
            yield current, index
        epoch += 1


def _update(loss: torch.Tensor, optimizer: torch.optim.Optimizer) -> None:
    with torch.profiler.record_function("backward"):
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
    with torch.profiler.record_function("optimizer"):
        optimizer.step()


def _runner(
    step: Callable[[], int], steps: int, device: torch.device, facts: dict[str, Any], profile: bool
) -> Prepared:
    def run() -> tuple[float, dict[str, Any]]:
        rows = sum(step() for _ in range(steps))
        return_freed_memory()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return rows, dict(facts)

    def profiled() -> tuple[float, dict[str, Any]]:
        with torch.profiler.profile() as profiler:
            rows, told = run()
        on_gpu = device.type == "cuda"
        parts: dict[str, float] = {}
        operators: dict[str, float] = {}
        for event in profiler.key_averages():
            if event.key in ("batch", "forward", "backward", "optimizer", "average of the weights"):
                parts[event.key] = event.device_time_total if on_gpu else event.cpu_time_total
            else:
                operators[event.key] = event.self_device_time_total if on_gpu else event.self_cpu_time_total
        told["parts"] = _shares(parts, len(parts))
        told["operators"] = _shares(operators, 12)
        return rows, told

    return profiled if profile else run


def _shares(times: dict[str, float], most: int) -> dict[str, float]:
    total = sum(times.values()) or 1.0
    ordered = sorted(times.items(), key=lambda entry: -entry[1])
    return {name: round(value / total, 3) for name, value in ordered[:most]}


def main(args: list[str] | None = None) -> None:
    """Run the benchmark."""
    parser = options(__doc__ or "", runs=3)
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    parser.add_argument("--shape", choices=SHAPES, default="scientific", help="sizes that the options below change")
    parser.add_argument("--sides", choices=("both", "ours", "reference"), default="both", help="what to measure")
    parser.add_argument("--steps", type=int, default=2, help="steps of a run of the reference and with --targets last")
    parser.add_argument("--own-negatives", type=int, default=0, help="items this toolkit samples; 0 for full softmax")
    for name in SIZES:
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, help="instead of that of the shape")
    parser.add_argument("--profile", action="store_true", help="tell the share of time of each part (runs get slower)")
    arguments = parser.parse_args(args)
    given = {name: getattr(arguments, name) for name in SIZES if getattr(arguments, name) is not None}
    shape = replace(SHAPES[arguments.shape], **given)
    common = {"shape": shape, "device": arguments.device, "steps": arguments.steps, "seed": arguments.seed}
    own = {**common, "negatives": arguments.own_negatives, "profile": arguments.profile}
    plain = {**common, "negatives": shape.negatives, "profile": arguments.profile}
    ours = [
        Side("cocorec train", prepare_ours, {**own, "targets": "all"}),
        Side("cocorec train --targets last", prepare_ours, {**own, "targets": "last"}),
    ]
    reference = [Side("reference", prepare_reference, plain)]
    sides = (ours if arguments.sides != "reference" else []) + (reference if arguments.sides != "ours" else [])
    rows = compare(sides, runs=arguments.runs, threads=arguments.threads, warmup=arguments.warmup)
    for row in rows:
        if "units_per_second" in row:
            row["epoch_seconds"] = row["rows_an_epoch"] / row["units_per_second"]
    profiles = {row["side"]: {name: row[name] for name in ("parts", "operators")} for row in rows if "parts" in row}
    report(
        f"training, shape {arguments.shape}: {shape.items:,} items, {shape.codes} codes, d {shape.dim}, "
        f"batch {shape.batch_size}, {arguments.device}, {arguments.threads} threads",
        arguments,
        rows,
        unit="rows",
        columns=("epoch_seconds", "mean_history"),
        device=arguments.device,
        shape=vars(shape),
        **({"profile": profiles} if profiles else {}),
    )


if __name__ == "__main__":
    main()
