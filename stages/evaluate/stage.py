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
from stages.artifacts.errors import DataError
from stages.artifacts.items import count_items, read_item_ids
from stages.artifacts.lineage import KEY
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
from stages.evaluate.options import EvaluateOptions
from stages.evaluate.popularity import counts_before, popularity_ranks
from stages.evaluate.recommendations import write_recommendations
from stages.frame.allocator import keep_freed_memory
from stages.frame.reporter import Reporter
from stages.frame.result import Result
from stages.frame.run import StageRun
from stages.metrics.accuracy import Ranks, metric_names, per_rank
from stages.metrics.bootstrap import bootstrap_means, intervals
from stages.metrics.lists import list_metrics
from stages.metrics.slices import POPULARITY_GROUPS, popularity_bounds, popularity_group
from stages.model.catalogue import needed_files
from stages.model.device import autocast, resolve_device
from stages.model.files import load_model, read_config
from stages.model.ranking import queries, rank

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
    options: EvaluateOptions | None = None,
    *,
    workdir: Path,
    force: bool = False,
    reporter: Reporter | None = None,
) -> Result:
    """Rank the whole catalogue for every user and measure where the next item stands.

    Args:
        options: by default all defaults.
        workdir: the work directory; ``metrics.json``, ``ranks.parquet`` and ``recommendations.parquet`` are written
            there.
        force: evaluate even when the metrics are up to date.
        reporter: is told about progress.

    Raises:
        UsageError: for options that do not fit.
        DataError: for artifacts that are missing, damaged, or do not belong together.
    """
    options = options or EvaluateOptions()
    where = resolve_device(options.device)
    run = StageRun("evaluate", options, workdir, reporter)
    workdir, reporter, cutoffs, top = run.workdir, run.reporter, options.cutoffs, options.top
    kind = read_config(workdir).kind
    run.read(*_files(workdir, kind, top))
    if (done := run.fresh()) and not force:
        return done

    began = time.perf_counter()
    keep_freed_memory()
    threads_before = torch.get_num_threads()
    torch.set_num_threads(options.threads or threads_before)
    try:
        trained = load_model(workdir, where)
        n = trained.catalogue.items
        sequences = read_sequences(workdir / SEQUENCES, items=n, user_ids=True)
        wanted = queries(sequences, options.split, trained.model.config.max_history)
        if not len(wanted.user):
            raise DataError(
                f"{workdir / SEQUENCES}: no user has an item in the {options.split} split", "Choose another --split."
            )
        item_ids = _item_ids(workdir / ITEMS, n) if top else pa.chunked_array([], pa.string())
        items = torch.from_numpy(sequences.items.astype(np.int64)).to(where)
        loaded = time.perf_counter()
        with (
            reporter.track(f"ranking the {options.split} split", len(wanted.user), "targets") as advance,
            autocast(where, options.precision),
        ):
            ranking = rank(
                trained.model,
                items,
                wanted,
                top=min(top, n),
                exclude_seen=options.exclude_seen,
                batch_size=options.batch_size,
                progress=advance,
            )
        ranked = time.perf_counter()
        if ranking.ranks.min() < 1:
            raise DataError(f"{workdir / MODEL_WEIGHTS}: scores are not finite", "Train with a lower --learning-rate.")
        users, first_of = np.unique(wanted.user, return_index=True)  # a list per user, however many targets
        lists = ranking.items[first_of]
        counts = counts_before(sequences, sequences.train_end, n)
        beyond = _beyond_accuracy(workdir, lists, counts, top, reporter) if top else {}
    finally:
        torch.set_num_threads(threads_before)
    popular = popularity_ranks(sequences, options.split, wanted, n, exclude_seen=options.exclude_seen)
    target_counts = counts[wanted.target - 1]
    facts: dict[str, Any] = {
        "split": options.split,
        "model": kind,
        "users": len(users),
        "targets": len(wanted.user),
        "items": n,
        "exclude_seen": options.exclude_seen,
        **({"seen_targets": int((ranking.ranks > n).sum())} if options.exclude_seen else {}),
        "metrics": _with_intervals(ranking.ranks, wanted.user, cutoffs, options.resamples, options.seed),
        "popularity": _with_intervals(popular, wanted.user, cutoffs, options.resamples, options.seed),
        "beyond_accuracy": beyond,
        "popularity_groups": _groups(counts, target_counts),
    }
    lineage = run.lineage(facts)
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
    run.seconds |= {"loading": loaded - began, "ranking": ranked - loaded}
    return run.result(facts, rates={"targets_per_second": len(ranking.ranks) / run.seconds["ranking"]})


def _files(workdir: Path, kind: str, top: int) -> tuple[str, ...]:
    """The artifacts that are read: what the model needs, and for lists the item ids and, where they are, the texts."""
    files = [SEQUENCES, *needed_files(kind), MODEL_CONFIG, MODEL_WEIGHTS]
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
