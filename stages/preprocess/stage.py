"""The preprocess stage: a log and item metadata to ``items.parquet`` and ``sequences.parquet``."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from stages.artifacts.errors import DataError
from stages.artifacts.names import ITEMS, SEQUENCES
from stages.frame.allocator import keep_freed_memory
from stages.frame.reporter import Reporter
from stages.frame.result import Result
from stages.frame.run import StageRun
from stages.frame.threads import threads
from stages.preprocess.columns import ID
from stages.preprocess.facts import item_facts, sequence_facts, warnings_about
from stages.preprocess.histories.file import write_sequences
from stages.preprocess.histories.filters import chosen_k, filtered
from stages.preprocess.histories.interactions import add_items
from stages.preprocess.histories.split import divided, with_split_of
from stages.preprocess.items.file import items_frame, write_items
from stages.preprocess.items.item_table import Wanted
from stages.preprocess.items.source import find_items
from stages.preprocess.items.views import select_views
from stages.preprocess.logs.clock import read_clock
from stages.preprocess.logs.source import find_log
from stages.preprocess.options import PreprocessOptions
from stages.preprocess.sources.bad_rows import BadRows
from stages.preprocess.sources.finder import Finder


def preprocess(
    options: PreprocessOptions,
    *,
    workdir: Path,
    force: bool = False,
    reporter: Reporter | None = None,
) -> Result:
    """Turn an interaction log and item metadata into ``items.parquet`` and ``sequences.parquet``.

    Interactions are sorted by user and time, equal times by their order in the files; repeated rows (same user, item
    and time) count once. Filters come in this order: ratings, times, k-core, sample of users; the k-core filter looks
    at the whole log, its last part included, as in the published data sets.

    A published split is kept unless another is asked for. ``leave-one-out``: each user's last item is for test, the one
    before for validation; users with fewer than three items are for training only. Since every user has an end of
    their own, training then sees what other users did after somebody's test item. ``temporal``: training ends at one
    moment for all users, so nothing of the future is seen; users who come later have no history to rank from, and
    are counted.

    Args:
        options: the log, the item metadata, and what is made of them.
        workdir: the work directory, made when missing; it keeps the copies of remote files.
        force: run even if the artifacts are up to date.
        reporter: where progress and messages go.

    Returns:
        The artifacts and what is known of the data.

    Raises:
        UsageError: when an option does not fit the data.
        DataError: when a file is missing, malformed, or nothing is left of it.
    """
    run = StageRun("preprocess", options, workdir, reporter)
    selection = select_views(options.views or None, options.view_template)
    _make_folder(run.workdir)
    finder = Finder(run.workdir, round(options.max_size * 10**9), tolerant=options.max_bad_rows > 0)
    log_source = find_log(options, finder)
    item_source = find_items(options, str(log_source.columns.item), finder)
    run.recorded |= {**log_source.recorded(), **item_source.recorded()}
    for sample in (*log_source.samples, *item_source.samples):
        run.read_raw(sample.path.name, run.fingerprints.of(sample.path))
    if (done := run.fresh()) and not force:
        return replace(done, warnings=tuple(warnings_about(done.facts)))

    log_source.announce(run.reporter)
    item_source.announce(run.reporter)
    keep_freed_memory()
    _check_threads(options, run)
    bad_rows = BadRows(options.max_bad_rows)
    with threads(options.threads), run.measure("read_log"):
        # The items' columns are checked before the log is read: a wrong name should not cost minutes.
        selection, columns = item_source.choose_views(selection, options.keep_cold_items, bad_rows)
        log = log_source.read(bad_rows, run.reporter)
    with run.measure("filter"):
        clock = read_clock(log.frame)
        k = chosen_k(options, log)
        log = with_split_of(options, log)
        interactions = filtered(options, log, k, clock)
        del log
        interactions, parts, split_facts = divided(options, interactions, clock)
    with threads(options.threads), run.measure("read_items"):
        wanted = Wanted(interactions.item_ids, options.keep_cold_items)
        texts = item_source.read(columns, wanted, bad_rows, run.reporter)
        if texts is not None and options.keep_cold_items:
            interactions = add_items(interactions, texts.frame[ID])
        frame, empty = items_frame(interactions.item_ids, texts, selection.select())

    facts: dict[str, Any] = {
        "format": log_source.reader.name,
        "items_format": item_source.format,
        **split_facts,
        "time_unit": clock.unit,
        "implausible_times": clock.implausible,
        "k_core": k,
        "k_core_rounds": interactions.rounds,
        **sequence_facts(interactions, parts),
        **item_facts(frame, empty, texts, interactions if options.keep_cold_items else None),
        **({"bad_rows": bad_rows.found} if bad_rows.found else {}),
    }
    for warning in warnings_about(facts):
        run.warn(warning)
    with run.measure("write"):
        write_items(run.path(ITEMS), frame, run.lineage(facts))
        # The sequences name the very items.parquet whose numbers they use.
        run.inputs[ITEMS] = run.fingerprints.of_contents(run.path(ITEMS))
        write_sequences(run.path(SEQUENCES), interactions, parts, run.lineage(facts))
    return run.result(facts)


def _check_threads(options: PreprocessOptions, run: StageRun) -> None:
    """Say so where polars has more threads than asked for: their number is fixed when it is first imported."""
    if options.threads is not None and (found := pl.thread_pool_size()) > options.threads:
        run.warn(f"--threads {options.threads}: polars has started with {found}; set POLARS_MAX_THREADS before")


def _make_folder(workdir: Path) -> None:
    try:
        workdir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"cannot write in {workdir}: {error.strerror}", "Choose a folder that can be written with --workdir."
        ) from error
