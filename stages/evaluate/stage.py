"""The entry point of evaluation."""

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch

from stages.artifacts.atomic import write_json
from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.fingerprints import Fingerprints
from stages.artifacts.items import count_items, read_item_ids
from stages.artifacts.lineage import KEY, Lineage, fresh_lineage, require_consistent
from stages.artifacts.names import (
    EMBEDDINGS,
    ITEMS,
    METRICS,
    MODEL_CONFIG,
    MODEL_WEIGHTS,
    RANKS,
    RECOMMENDATIONS,
    SEQUENCES,
    Columns,
)
from stages.artifacts.sequences import Sequences, read_sequences
from stages.artifacts.tables import write_table
from stages.evaluate.diversity import intra_list_diversity
from stages.evaluate.recommendations import write_recommendations
from stages.frame.allocator import keep_freed_memory
from stages.frame.reporter import Reporter
from stages.frame.result import Result
from stages.metrics.accuracy import Ranks, metric_names, per_rank
from stages.metrics.bootstrap import bootstrap_means, intervals
from stages.metrics.lists import list_metrics
from stages.metrics.slices import POPULARITY_GROUPS, popularity_bounds, popularity_group
from stages.model.device import autocast, resolve_device
from stages.model.files import load_model, read_config
from stages.model.popularity import BEFORE_SPLIT, TRAINING, occurrences, popularity_ranks
from stages.model.ranking import queries, rank
from stages.model.registry import needed_files

SPLITS = ("test", "valid")
RANKS_SCHEMA = pa.schema(
    [
        pa.field(Columns.USER_ID, pa.string(), False),
        pa.field(Columns.TARGET, pa.int32(), False),
        pa.field(Columns.RANK, pa.int32(), False),
        pa.field(Columns.HISTORY_LENGTH, pa.int32(), False),
        pa.field(Columns.TARGET_COUNT, pa.int32(), False),
    ]
)


def evaluate(
    *,
    workdir: Path,
    split: str = "test",
    cutoffs: Sequence[int] = (5, 10, 20, 50),
    top: int = 10,
    exclude_seen: bool = False,
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
        workdir: the work directory; ``metrics.json``, ``ranks.parquet`` and ``recommendations.parquet`` are written
            there.
        split: ``test`` or ``valid``.
        cutoffs: the K of Recall@K and NDCG@K.
        top: K, the length of the recommendation lists, which are measured beyond accuracy; 0 for no lists.
        exclude_seen: items anywhere in the user's history before the split are neither ranked nor recommended. A
            target among them could never be recommended: it is a miss, ranked N + 1, and counted in the facts.
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
    cutoffs = sorted(set(cutoffs))
    _check_options(split, cutoffs, top, bootstrap, batch_size)
    where = resolve_device(device)
    model = read_config(workdir).model
    files = _files(workdir, model, top)
    fingerprints = Fingerprints(workdir)
    inputs = {name: fingerprints.of(workdir / name) for name in files}
    require_consistent(workdir, files, fingerprints)
    options = {
        "split": split,
        "cutoffs": cutoffs,
        "top": top,
        "exclude_seen": exclude_seen,
        "bootstrap": bootstrap,
        "seed": seed,
        "device": device,
        "precision": precision,
    }
    outputs = {name: workdir / name for name in (METRICS, RANKS, RECOMMENDATIONS)}
    fresh, _ = fresh_lineage(workdir, "evaluate", options, inputs)
    if fresh and not force:
        return Result("evaluate", outputs, fresh.facts, skipped=True)

    began = time.perf_counter()
    keep_freed_memory()
    threads_before = torch.get_num_threads()
    torch.set_num_threads(threads or threads_before)
    try:
        trained = load_model(workdir, where)
        n = trained.catalogue.items
        sequences = read_sequences(workdir / SEQUENCES, items=n, user_ids=True)
        wanted = queries(sequences, split, trained.model.config.max_history)
        if not len(wanted.user):
            raise DataError(
                f"{workdir / SEQUENCES}: no user has an item in the {split} split", "Choose another --split."
            )
        item_ids = _item_ids(workdir / ITEMS, n) if top else pa.chunked_array([], pa.string())
        items = torch.from_numpy(sequences.items.astype(np.int64)).to(where)
        loaded = time.perf_counter()
        with (
            reporter.track(f"ranking the {split} split", len(wanted.user), "targets") as advance,
            autocast(where, precision),
        ):
            ranking = rank(
                trained.model,
                items,
                wanted,
                top=min(top, n),
                exclude_seen=exclude_seen,
                batch_size=batch_size,
                progress=advance,
            )
        ranked = time.perf_counter()
        if ranking.ranks.min() < 1:
            raise DataError(f"{workdir / MODEL_WEIGHTS}: scores are not finite", "Train with a lower --learning-rate.")
        users, first_of = np.unique(wanted.user, return_index=True)  # a list per user, however many targets
        lists = ranking.items[first_of]
        counts = occurrences(sequences, n, TRAINING)
        beyond = _beyond_accuracy(workdir, lists, counts, top, reporter) if top else {}
    finally:
        torch.set_num_threads(threads_before)
    known = occurrences(sequences, n, BEFORE_SPLIT, split)
    popular = popularity_ranks(known, sequences, wanted, exclude_seen=exclude_seen)
    target_counts = counts[wanted.target - 1]
    facts: dict[str, Any] = {
        "split": split,
        "model": model,
        "users": len(users),
        "targets": len(wanted.user),
        "items": n,
        "exclude_seen": exclude_seen,
        **({"seen_targets": int((ranking.ranks > n).sum())} if exclude_seen else {}),
        "metrics": _with_intervals(ranking.ranks, wanted.user, cutoffs, bootstrap, seed),
        "popularity": _with_intervals(popular, wanted.user, cutoffs, bootstrap, seed),
        "popularity_cut": BEFORE_SPLIT,
        "beyond_accuracy": beyond,
        "popularity_groups": _groups(counts, target_counts),
    }
    lineage = Lineage("evaluate", options, inputs, facts)
    user_ids = _user_ids(sequences)
    columns = [
        user_ids.take(pa.array(wanted.user)),
        wanted.target,
        ranking.ranks,
        wanted.end - wanted.first,
        target_counts,
    ]
    shown = users[: len(users) if top else 0]
    write_recommendations(
        workdir / RECOMMENDATIONS,
        user_ids.take(pa.array(shown)),
        lists[: len(shown)],
        ranking.scores[first_of][: len(shown)],
        item_ids,
        lineage,
    )
    write_table(workdir / RANKS, pa.table(columns, names=RANKS_SCHEMA.names).cast(RANKS_SCHEMA), lineage)
    write_json(workdir / METRICS, {**facts, KEY: lineage.metadata()})
    timings = {"loading": loaded - began, "ranking": ranked - loaded, "total": time.perf_counter() - began}
    timings["targets_per_second"] = len(ranking.ranks) / timings["ranking"]
    return Result("evaluate", outputs, facts, timings=timings)


def _check_options(split: str, cutoffs: Sequence[int], top: int, bootstrap: int, batch_size: int) -> None:
    if split not in SPLITS:
        raise UsageError(f"--split {split!r} is unknown", f"Choose one of {', '.join(SPLITS)}.")
    if not cutoffs or cutoffs[0] < 1:
        raise UsageError("--cutoffs must be whole numbers from 1", "For example --cutoffs 5,10,20.")
    if top < 0:
        raise UsageError(f"--top must be at least 0, is {top}", "0 makes no lists.")
    if bootstrap < 1 or batch_size < 1:
        raise UsageError("--bootstrap and --batch-size must be at least 1")


def _files(workdir: Path, model: str, top: int) -> tuple[str, ...]:
    """The artifacts that are read: what the model needs, and for lists the item ids and, where they are, the texts."""
    files = [SEQUENCES, *needed_files(model), MODEL_CONFIG, MODEL_WEIGHTS]
    if top:
        if not (workdir / ITEMS).exists():
            raise DataError(
                f"{workdir / ITEMS} does not exist; recommendation lists carry the original item ids",
                "Put the file there, or make no lists with --top 0.",
            )
        files += [ITEMS, *([EMBEDDINGS] if (workdir / EMBEDDINGS).exists() else [])]
    return tuple(dict.fromkeys(files))


def _item_ids(path: Path, items: int) -> pa.ChunkedArray:
    ids = read_item_ids(path)
    if len(ids) != items:
        raise DataError(f"{path} has {len(ids)} items, the model knows {items}", "Run `cocorec train` again.")
    return ids


def _user_ids(sequences: Sequences) -> pa.ChunkedArray:
    assert sequences.user_ids is not None
    return sequences.user_ids.cast(pa.string())


def _with_intervals(
    ranks: Ranks, users: Ranks, cutoffs: Sequence[int], samples: int, seed: int
) -> dict[str, dict[str, float]]:
    values = per_rank(ranks, cutoffs)
    low, high = intervals(bootstrap_means(values, users, samples=samples, seed=seed))
    return {
        name: {"mean": float(mean), "low": float(low[i]), "high": float(high[i])}
        for i, (name, mean) in enumerate(zip(metric_names(cutoffs), values.mean(0), strict=True))
    }


def _beyond_accuracy(
    workdir: Path, lists: npt.NDArray[np.int32], counts: npt.NDArray[np.int64], top: int, reporter: Reporter
) -> dict[str, float | None]:
    values: dict[str, float | None] = {**list_metrics(lists, counts)}
    if (workdir / EMBEDDINGS).exists():
        if len(counts) != (known := count_items(workdir / EMBEDDINGS)):
            raise DataError(
                f"{workdir / EMBEDDINGS} has {known} items, the model knows {len(counts)}",
                "Run `cocorec embed` again, or take the file away.",
            )
        values["diversity"] = intra_list_diversity(workdir / EMBEDDINGS, lists)
    else:
        reporter.info(f"no {EMBEDDINGS} in {workdir}: intra-list diversity is left out")
    return {f"{name}@{top}": None if value is None or math.isnan(value) else value for name, value in values.items()}


def _groups(counts: npt.NDArray[np.int64], target_counts: npt.NDArray[np.int64]) -> list[dict[str, Any]]:
    bounds = popularity_bounds(counts)
    sizes = [np.bincount(popularity_group(of, bounds), minlength=4) for of in (counts, target_counts)]
    return [
        {"group": name, "from_interactions": bounds[i], "items": int(sizes[0][i]), "targets": int(sizes[1][i])}
        for i, name in enumerate(POPULARITY_GROUPS)
    ]
