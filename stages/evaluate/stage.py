"""The entry point of evaluation."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from stages.artifacts.atomic import write_json
from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.fingerprints import Fingerprints
from stages.artifacts.lineage import KEY, Lineage, fresh_lineage, require_consistent
from stages.artifacts.names import METRICS, MODEL_CONFIG, MODEL_WEIGHTS, RANKS, SEQUENCES, Columns
from stages.artifacts.reporter import Reporter
from stages.artifacts.result import Result
from stages.artifacts.sequences import read_sequences
from stages.artifacts.tables import write_table
from stages.evaluate.bootstrap import bootstrap_means, intervals
from stages.evaluate.popularity import popularity_ranks
from stages.model.catalogue import needed_files
from stages.model.device import autocast, resolve_device
from stages.model.files import load_model, read_config
from stages.model.metrics import Ranks, metric_names, per_rank
from stages.model.ranking import queries, target_ranks

SPLITS = ("test", "valid")
RANKS_SCHEMA = pa.schema(
    [
        pa.field(Columns.USER_ID, pa.string(), False),
        pa.field(Columns.TARGET, pa.int32(), False),
        pa.field(Columns.RANK, pa.int32(), False),
    ]
)


def evaluate(
    *,
    workdir: Path,
    split: str = "test",
    cutoffs: Sequence[int] = (5, 10, 20, 50),
    bootstrap: int = 1000,
    batch_size: int = 2048,
    seed: int = 0,
    device: str = "auto",
    precision: str = "float32",
    threads: int | None = None,
    force: bool = False,
    reporter: Reporter | None = None,
) -> Result:
    """Rank the whole catalogue for every user and measure where the next item stands.

    Args:
        workdir: the work directory; ``metrics.json`` and ``ranks.parquet`` are written there.
        split: ``test`` or ``valid``.
        cutoffs: the K of Recall@K and NDCG@K.
        bootstrap: resamples of the users for the 95 % intervals.
        batch_size: histories read at a time.
        seed: decides the resamples.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        precision: ``float32``, ``bfloat16``, or ``auto`` for bfloat16 on a GPU.
        threads: CPU threads; ``None`` for as many as torch takes.
        force: evaluate even when the metrics are up to date.
        reporter: is told about progress.

    Raises:
        UsageError: for options that do not fit.
        DataError: for artifacts that are missing, damaged, or do not belong together.
    """
    workdir, reporter = Path(workdir), reporter or Reporter()
    if split not in SPLITS:
        raise UsageError(f"--split {split!r} is unknown", f"Choose one of {', '.join(SPLITS)}.")
    cutoffs = sorted(set(cutoffs))
    if not cutoffs or cutoffs[0] < 1:
        raise UsageError("--cutoffs must be whole numbers from 1", "For example --cutoffs 5,10,20.")
    if bootstrap < 1 or batch_size < 1:
        raise UsageError("--bootstrap and --batch-size must be at least 1")
    where = resolve_device(device)
    kind = read_config(workdir).kind
    files = (SEQUENCES, *needed_files(kind), MODEL_CONFIG, MODEL_WEIGHTS)
    fingerprints = Fingerprints(workdir)
    inputs = {name: fingerprints.of(workdir / name) for name in files}
    require_consistent(workdir, files, fingerprints)
    options = {
        "split": split,
        "cutoffs": cutoffs,
        "bootstrap": bootstrap,
        "seed": seed,
        "device": device,
        "precision": precision,
    }
    outputs = {name: workdir / name for name in (METRICS, RANKS)}
    fresh, _ = fresh_lineage(workdir, "evaluate", options, inputs)
    if fresh and not force:
        return Result("evaluate", outputs, fresh.facts, skipped=True)

    began = time.perf_counter()
    threads_before = torch.get_num_threads()
    torch.set_num_threads(threads or threads_before)
    try:
        trained = load_model(workdir, where)
        sequences = read_sequences(workdir / SEQUENCES, items=trained.catalogue.items, user_ids=True)
        wanted = queries(sequences, split, trained.model.config.max_history)
        if not len(wanted.user):
            raise DataError(
                f"{workdir / SEQUENCES}: no user has an item in the {split} split", "Choose another --split."
            )
        items = torch.from_numpy(sequences.items.astype(np.int64)).to(where)
        loaded = time.perf_counter()
        with (
            reporter.track(f"ranking the {split} split", len(wanted.user), "targets") as advance,
            autocast(where, precision),
        ):
            ranks = target_ranks(trained.model, items, wanted, batch_size=batch_size, progress=advance)
        ranked = time.perf_counter()
    finally:
        torch.set_num_threads(threads_before)
    popular = popularity_ranks(sequences, split, wanted.target, trained.catalogue.items)
    facts: dict[str, Any] = {
        "split": split,
        "model": kind,
        "users": len(np.unique(wanted.user)),
        "targets": len(wanted.user),
        "items": trained.catalogue.items,
        "metrics": _with_intervals(ranks, wanted.user, cutoffs, bootstrap, seed),
        "popularity": _with_intervals(popular, wanted.user, cutoffs, bootstrap, seed),
    }
    lineage = Lineage("evaluate", options, inputs, facts)
    assert sequences.user_ids is not None
    table = pa.table(
        [sequences.user_ids.take(pa.array(wanted.user)).cast(pa.string()), wanted.target, ranks],
        names=[Columns.USER_ID, Columns.TARGET, Columns.RANK],
    )
    write_table(workdir / RANKS, table.cast(RANKS_SCHEMA), lineage)
    write_json(workdir / METRICS, {**facts, KEY: vars(lineage)})
    timings = {"loading": loaded - began, "ranking": ranked - loaded, "total": time.perf_counter() - began}
    timings["targets_per_second"] = len(ranks) / timings["ranking"]
    return Result("evaluate", outputs, facts, timings=timings)


def _with_intervals(
    ranks: Ranks, users: Ranks, cutoffs: Sequence[int], samples: int, seed: int
) -> dict[str, dict[str, float]]:
    values = per_rank(ranks, cutoffs)
    low, high = intervals(bootstrap_means(values, users, samples=samples, seed=seed))
    return {
        name: {"mean": float(mean), "low": float(low[i]), "high": float(high[i])}
        for i, (name, mean) in enumerate(zip(metric_names(cutoffs), values.mean(0), strict=True))
    }
