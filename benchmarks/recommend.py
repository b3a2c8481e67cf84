"""Recommending: users served per second from the whole catalogue, peak memory, and what all users would take.

    python -m benchmarks.recommend
    python -m benchmarks.recommend --users 1000000 --items 1000000 --measured 3000 --sides ours --runs 1 --no-warmup

The histories of all users are held, as the command holds them; lists are made for the first ``--measured`` of them and
written chunk by chunk. Each user's work is the same, so that the rest is extrapolated by the count; the vectors of all
items are computed once before, which is told apart. The plain way sorts all scores of each user.
"""

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from benchmarks.harness import Prepared, Side, compare, options, report
from benchmarks.shapes import SHAPES, Shape, make_catalogue, make_config, make_sequences
from stages.artifacts.items import items_schema
from stages.artifacts.lineage import Lineage
from stages.artifacts.lists import recommendations_schema
from stages.artifacts.sequences import Sequences
from stages.artifacts.tables import table_writer, write_table
from stages.frame.allocator import keep_freed_memory
from stages.frame.reporter import Reporter
from stages.model.cocorec import CoCoRec
from stages.model.files import Trained
from stages.model.packing import Packing
from stages.recommend.items import Items
from stages.recommend.recommender import Recommender
from stages.recommend.tables import CHUNK_USERS

TOP = 10
PLAIN_BATCH = 16
"""Users whose scores the plain way sorts at a time, as many as ours holds at 1,000,000 items."""


def prepare_ours(shape: Shape, *, device: str, seed: int, measured: int) -> Prepared:
    """Recommend as ``cocorec recommend`` does, chunk by chunk, with the items of the history left out."""
    keep_freed_memory()
    folder = tempfile.TemporaryDirectory()
    recommender, sequences = _recommender(shape, device, seed, Path(folder.name))
    began = time.process_time()
    _ = recommender.scorer  # the table of items, made on first use
    table_seconds = time.process_time() - began
    names = pa.chunked_array([pa.array([f"u{user}" for user in range(measured)])])

    def run() -> tuple[float, dict[str, Any]]:
        checksum = 0
        with table_writer(Path(folder.name) / "recommendations.parquet", recommendations_schema()) as writer:
            for low in range(0, measured, CHUNK_USERS):
                offsets = sequences.offsets[low : min(low + CHUNK_USERS, measured) + 1]
                items = sequences.items[offsets[0] : offsets[-1]]
                lists = recommender.lists(items, offsets - offsets[0], top=TOP, exclude_seen=True)
                checksum += int(lists.items.sum(dtype=np.int64))
                writer.write(recommender.items.table(names.slice(low, len(offsets) - 1), lists))
        return measured, {"checksum": checksum, "item_table_cpu_seconds": table_seconds}

    return run


def prepare_plain(shape: Shape, *, device: str, seed: int, measured: int) -> Prepared:
    """The same model, every score of every user sorted."""
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder:
        recommender, sequences = _recommender(shape, device, seed, Path(folder))
    began = time.process_time()
    score = recommender.scorer
    table_seconds = time.process_time() - began

    @torch.inference_mode()
    def run() -> tuple[float, dict[str, Any]]:
        checksum = 0
        for low in range(0, measured, PLAIN_BATCH):
            users = range(low, min(low + PLAIN_BATCH, measured))
            whole = [sequences.items[sequences.offsets[user] : sequences.offsets[user + 1]] for user in users]
            read = [torch.from_numpy(items[-shape.max_history :].astype(np.int64)) for items in whole]
            packing = Packing.of_lengths(torch.tensor([len(items) for items in read]))
            scores = score(torch.cat(read).to(device), packing)(slice(0, len(read)))
            for row, items in enumerate(whole):
                scores[row, [0, *items.tolist()]] = -torch.inf
            order = scores.sort(dim=1, descending=True, stable=True).indices[:, :TOP]
            checksum += int(order.sum())
        return measured, {"checksum": checksum, "item_table_cpu_seconds": table_seconds}

    return run


def _recommender(shape: Shape, device: str, seed: int, folder: Path) -> tuple[Recommender, Sequences]:
    torch.manual_seed(seed)
    where = torch.device(device)
    catalogue = make_catalogue(shape, seed)
    model = CoCoRec.build(make_config(shape), catalogue)
    assert model.repeats is not None
    torch.nn.init.normal_(model.repeats.by_age, std=0.1)
    numbers = pa.array(np.arange(1, shape.items + 1, dtype=np.int32))
    ids = pa.array([f"item-{number}" for number in range(shape.items)])
    path = folder / "items.parquet"
    write_table(path, pa.table([numbers, ids], schema=items_schema([])), Lineage("preprocess", {}, {}))
    items = Items(path, Reporter())
    return Recommender(Trained(model.to(where).eval(), catalogue, None), where, folder, items), make_sequences(
        shape, seed
    )


def main(args: list[str] | None = None) -> None:
    """Run the benchmark."""
    parser = options(__doc__ or "", runs=3)
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    parser.add_argument("--users", type=int, default=8_442, help="users whose histories are held")
    parser.add_argument("--measured", type=int, default=2_000, help="users who get lists")
    parser.add_argument("--items", type=int, default=4_385, help="size of the catalogue")
    parser.add_argument("--dim", type=int, default=64, help="width of the model")
    parser.add_argument("--sides", choices=("both", "ours", "reference"), default="both", help="what to measure")
    arguments = parser.parse_args(args)
    shape = replace(SHAPES["scientific"], users=arguments.users, items=arguments.items, dim=arguments.dim)
    measured = min(arguments.measured, arguments.users)
    given = {"shape": shape, "device": arguments.device, "seed": arguments.seed, "measured": measured}
    sides = [Side("cocorec recommend", prepare_ours, given), Side("reference", prepare_plain, given)]
    chosen = {"both": sides, "ours": sides[:1], "reference": sides[1:]}[arguments.sides]
    rows = compare(chosen, runs=arguments.runs, threads=arguments.threads, warmup=arguments.warmup)
    for row in rows:
        if "failed" not in row:
            row["all_users_cpu_hours"] = (
                row["item_table_cpu_seconds"] + arguments.users / row["units_per_cpu_second"]
            ) / 3600
    report(
        f"recommending: {measured:,} of {arguments.users:,} users, {shape.items:,} items, {shape.codes} codes, "
        f"d {shape.dim}, {arguments.device}, {arguments.threads} threads",
        arguments,
        rows,
        unit="users",
        columns=("item_table_cpu_seconds", "all_users_cpu_hours", "checksum"),
        device=arguments.device,
    )


if __name__ == "__main__":
    main()
