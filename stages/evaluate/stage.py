"""The entry point of evaluation."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from stages.artifacts.atomic import write_json
from stages.artifacts.errors import DataError
from stages.artifacts.items import read_item_ids
from stages.artifacts.lineage import KEY
from stages.artifacts.names import (
    BACKTEST,
    EMBEDDINGS,
    ITEMS,
    METRICS,
    MODEL_CONFIG,
    MODEL_WEIGHTS,
    RANKS,
    SEQUENCES,
)
from stages.artifacts.sequences import read_sequences
from stages.evaluate.facts import evaluation_facts
from stages.evaluate.files import write_ranks, write_user_lists
from stages.evaluate.options import EvaluateOptions
from stages.frame.allocator import keep_freed_memory
from stages.frame.processes.launch import launch
from stages.frame.processes.place import to_launch
from stages.frame.processor import slow_bfloat16
from stages.frame.reporter import Reporter
from stages.frame.result import Result
from stages.frame.run import StageRun
from stages.frame.threads import threads
from stages.model.device import autocast, share_device
from stages.model.files import added_items, grown_note, load_model, read_config
from stages.model.popularity import TRAINING, occurrences
from stages.model.ranking import queries, rank
from stages.model.registry import needed_files
from stages.model.team import joined_processes

_LATER = (
    "the histories are later than those it was trained on: mind that what it learnt from is no target of this split"
)
"""Said of a catalogue that grew, since other histories came with it."""


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
        workdir: the work directory; ``metrics.json``, ``ranks.parquet`` and ``backtest.parquet`` are written
            there.
        force: evaluate even when the metrics are up to date.
        reporter: is told about progress.

    Raises:
        UsageError: for options that do not fit.
        DataError: for artifacts that are missing, damaged, or do not belong together.
    """
    options = options or EvaluateOptions()
    count = to_launch(options.processes)
    device = share_device(options.device, count)
    run = StageRun("evaluate", options, workdir, reporter)
    config = read_config(run.workdir)
    run.read(*_files(run, config.model, options.top))
    added = added_items(run.workdir)
    run.read(MODEL_CONFIG, MODEL_WEIGHTS, earlier=added > 0)
    if (done := run.fresh()) and not force:
        return done
    if count:
        return launch(
            "stages.evaluate:evaluate", options, workdir=run.workdir, force=force, reporter=run.reporter, count=count
        )

    if said := grown_note(config, added):
        run.warn(said)
        run.warn(_LATER)
    if slow := slow_bfloat16(options.precision, device.type):
        run.warn(slow)
    keep_freed_memory()
    with threads(options.threads), joined_processes(device, options.process_timeout) as team:
        with run.measure("loading"):
            trained = load_model(run.workdir, device)
            trained.model.team = team
            trained.model.boost_new_items(options.new_item_boost)
            n = trained.catalogue.items
            sequences = read_sequences(run.path(SEQUENCES), items=n, user_ids=True)
            wanted = queries(sequences, options.split, trained.model.config.max_history)
            if not len(wanted.user):
                raise DataError(
                    f"{run.path(SEQUENCES)}: no user has an item in the {options.split} split",
                    "Choose another --split.",
                )
            item_ids = _item_ids(run.path(ITEMS), n) if options.top else pa.chunked_array([], pa.string())
            items = torch.from_numpy(sequences.items.astype(np.int64)).to(device)
        with (
            run.measure("ranking"),
            run.reporter.track(f"ranking the {options.split} split", len(wanted.user), "targets") as advance,
            autocast(device, options.precision),
        ):
            ranking = rank(
                trained.model,
                items,
                wanted,
                top=min(options.top, n),
                exclude_seen=options.exclude_seen,
                both=True,
                batch_size=options.batch_size,
                progress=advance,
            )
        if not team.first:
            return run.result({})
        with run.measure("metrics"):
            counts = occurrences(sequences, n, TRAINING)
            grown = {"items_added_since_training": added} if added else {}
            facts = {
                "split": options.split,
                "model": config.model,
                **grown,
                **evaluation_facts(run, options, sequences, wanted, ranking, counts),
                "threads": torch.get_num_threads(),
                **({"processes": team.count} if team.count > 1 else {}),
            }
    lineage = run.lineage(facts)
    write_user_lists(run.path(BACKTEST), sequences, wanted, ranking, item_ids, lineage)
    write_ranks(run.path(RANKS), sequences, wanted, ranking, counts, lineage, exclude_seen=options.exclude_seen)
    write_json(run.path(METRICS), {**facts, KEY: lineage.metadata()})
    return run.result(facts, rates={"targets_per_second": len(ranking.ranks) / run.seconds["ranking"]})


def _files(run: StageRun, model: str, top: int) -> tuple[str, ...]:
    """The artifacts that are read: what the model needs, and for lists the item ids and, where they are, the texts."""
    files = [SEQUENCES, *needed_files(model)]
    if top:
        if not run.path(ITEMS).exists():
            raise DataError(
                f"{run.path(ITEMS)} does not exist; recommendation lists carry the original item ids",
                "Put the file there, or make no lists with --top 0.",
            )
        files += [ITEMS, *([EMBEDDINGS] if run.path(EMBEDDINGS).exists() else [])]
    return tuple(dict.fromkeys(files))


def _item_ids(path: Path, items: int) -> pa.ChunkedArray:
    ids = read_item_ids(path)
    if len(ids) != items:
        raise DataError(f"{path} has {len(ids)} items, the model knows {items}", "Run `cocorec train` again.")
    return ids
