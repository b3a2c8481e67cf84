"""Makes the lists of all users, a chunk of them at a time."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch

from stages.frame.cluster import Cluster
from stages.frame.run import StageRun
from stages.recommend.chunks import ChunkStore
from stages.recommend.items import Numbers
from stages.recommend.options import RecommendOptions
from stages.recommend.recommender import Mask, Recommender
from stages.recommend.whom import Served

CHUNK_USERS = 16_384
"""Users whose lists are made, kept and written at a time."""


def list_tables(
    options: RecommendOptions,
    run: StageRun,
    recommender: Recommender,
    served: Served,
    allowed: Mask | None,
    store: ChunkStore,
    shared: Cluster | None = None,
) -> Iterator[pa.Table]:
    """The lists of all users, a chunk of them at a time; chunks that are there are not made again.

    With ``shared`` its actors make them, who load model and catalogue themselves.
    """
    users = len(served.user_ids)
    kept = 0
    bounds = [(low, min(low + CHUNK_USERS, users)) for low in range(0, users, CHUNK_USERS)]

    def missing() -> Iterator[tuple[Numbers, npt.NDArray[np.int64], pa.ChunkedArray]]:
        for number, (low, high) in enumerate(bounds):
            if store.read(number) is None:
                yield *served.part(low, high), served.user_ids.slice(low, high - low)

    with run.measure("recommending"), run.reporter.track("recommending", users, "users") as advance:
        made: Iterator[pa.Table]
        if shared is None:
            made = (_table(options, recommender, allowed, *part, progress=advance) for part in missing())
        else:
            made = _shared_out(options, run, allowed, shared, missing(), advance)
        for number, (low, high) in enumerate(bounds):
            table = store.read(number)
            if table is None:
                table = next(made)
                store.write(number, table)
            else:
                kept += high - low
                advance(high - low)
            yield table
    if kept:
        run.reporter.info(f"continuing an interrupted run: {kept:,} of {users:,} users were done")


def _table(
    options: RecommendOptions,
    recommender: Recommender,
    allowed: Mask | None,
    items: Numbers,
    offsets: npt.NDArray[np.int64],
    user_ids: pa.ChunkedArray,
    progress: Callable[[int], None] = lambda done: None,
) -> pa.Table:
    """The lists of some users."""
    lists = recommender.lists(
        items, offsets, top=options.top, exclude_seen=options.exclude_seen, allowed=allowed, progress=progress
    )
    return recommender.items.table(user_ids, lists, options.with_views)


def _shared_out(
    options: RecommendOptions,
    run: StageRun,
    allowed: Mask | None,
    shared: Cluster,
    jobs: Iterator[tuple[Any, ...]],
    advance: Callable[[int], None],
) -> Iterator[pa.Table]:
    device = shared.device(options.device)
    placed = {"processors": options.threads or 1, "gpus": int(device.startswith("cuda"))}
    # Workers have working directories of their own.
    model_from = None if options.model_from is None else options.model_from.absolute()
    arguments = (run.workdir.absolute(), replace(options, model_from=model_from), device, allowed)
    for table in shared.share_out(make_lists, arguments, jobs, **placed):
        advance(table.num_rows)
        yield table


def make_lists(workdir: Path, options: RecommendOptions, device: str, allowed: Mask | None) -> Callable[..., pa.Table]:
    """In an actor: load model and catalogue, and give what makes the lists of some users."""
    torch.set_num_threads(options.threads or 1)
    recommender = Recommender.load(
        workdir,
        device=device,
        batch_size=options.batch_size,
        model_from=options.model_from,
        new_item_boost=options.new_item_boost,
    )
    return lambda *part: _table(options, recommender, allowed, *part)
