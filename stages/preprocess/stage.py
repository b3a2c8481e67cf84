"""The preprocess stage: a log and item metadata to ``items.parquet``, ``sequences.parquet``, ``histories.parquet``."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from stages.artifacts.errors import DataError
from stages.artifacts.items import EXTENDED
from stages.artifacts.names import HISTORIES, ITEMS, SEQUENCES
from stages.frame.allocator import keep_freed_memory
from stages.frame.cluster import cluster
from stages.frame.machine import LOCAL, RAY
from stages.frame.reporter import Reporter
from stages.frame.result import Result, facts_of_a_file
from stages.frame.run import StageRun
from stages.frame.threads import threads
from stages.preprocess.cluster.work import ClusterWork, refuse
from stages.preprocess.columns import ID
from stages.preprocess.facts import item_facts, reading_facts, sequence_facts, warnings_about
from stages.preprocess.items.file import describe, write_items
from stages.preprocess.items.item_table import ItemTable, Wanted
from stages.preprocess.items.known import KnownItems, read_known
from stages.preprocess.items.source import find_items
from stages.preprocess.items.views import select_views
from stages.preprocess.logs.source import LogSource, find_log
from stages.preprocess.options import PreprocessOptions
from stages.preprocess.sources.bad_rows import BadRows
from stages.preprocess.sources.finder import Finder
from stages.preprocess.sources.paths import require_utf8
from stages.preprocess.sources.preparation import Preparation
from stages.preprocess.work import LocalWork, Work


def preprocess(
    options: PreprocessOptions,
    *,
    workdir: Path,
    force: bool = False,
    reporter: Reporter | None = None,
) -> Result:
    """Turn an interaction log and item metadata into items, sequences to learn from, and whole histories.

    Interactions are sorted by user and time, equal times by their order in the files; repeated rows (same user, item
    and time) count once. Filters come in this order: ratings, times, k-core, sample of users; the k-core filter looks
    at the whole log, its last part included, as in the published data sets.

    A published split is kept unless another is asked for. ``leave-one-out``: each user's last item is for test, the one
    before for validation; users with fewer than three items are for training only. Since every user has an end of
    their own, training then sees what other users did after somebody's test item. ``temporal``: training ends at one
    moment for all users, so nothing of the future is seen; users who come later have no history to rank from, and
    are counted.

    ``histories.parquet`` holds what every user has taken of the catalogue, whatever filters and split leave of it in
    ``sequences.parquet``; only ratings below ``rating_min`` and what happens from ``until`` on are left out.

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
    if options.engine == RAY:
        refuse(options)
    run = StageRun("preprocess", options, workdir, reporter)
    selection = select_views(options.views or None, options.view_template)
    _make_folder(run.workdir)
    preparation = Preparation(run.workdir)
    finder = Finder(run.workdir, round(options.max_size * 10**9), preparation)
    log_source = find_log(options, finder)
    item_source = find_items(options, str(log_source.columns.item), finder)
    run.recorded |= {**log_source.recorded(), **item_source.recorded()}
    for sample in (*log_source.samples, *item_source.samples):
        run.read_raw(sample.path.name, run.fingerprints.of(sample.path))
    known = read_known(options.extend, run)
    earlier = not force and not run.path(HISTORIES).exists() and run.fresh(without=[HISTORIES])
    if (done := run.fresh()) and not force:
        with facts_of_a_file("preprocess", run.path(SEQUENCES)):
            return replace(done, warnings=tuple(warnings_about(done.facts)))

    log_source.announce(run.reporter)
    item_source.announce(run.reporter)
    keep_freed_memory()
    _check_threads(options, run)
    bad_rows = BadRows(options.max_bad_rows, preparation)
    with ExitStack() as stack:
        with threads(options.threads), run.measure("read_log"):
            # The items' columns are checked before the log is read: a wrong name should not cost minutes.
            selection, columns = item_source.choose_views(selection, options.keep_cold_items, bad_rows)
        with threads(options.threads):
            work = _work(options, log_source, bad_rows, run, stack)
        found = work.found
        with threads(options.threads), run.measure("read_items"):
            wanted = found.item_ids if known is None else pl.concat([found.item_ids, known.ids]).unique()
            texts = item_source.read(columns, Wanted(wanted, options.keep_cold_items), bad_rows, run.reporter)
            item_ids, growth = _catalogue(found.item_ids, texts if options.keep_cold_items else None, known)
            described = describe(item_ids, texts, selection.select(), known)
        with run.measure("histories"):
            histories = work.histories(item_ids)
        preparation.close()

        facts: dict[str, Any] = {
            "format": log_source.reader.name,
            "items_format": item_source.format,
            **found.split,
            **reading_facts(found.rows, found.doubtful, finder.passed_over.messages),
            **({"time_like_column": log_source.time_like} if log_source.time_like else {}),
            "time_unit": found.clock.unit,
            "implausible_times": found.clock.implausible,
            "k_core": found.k,
            "k_core_rounds": found.rounds,
            **({"outside_k_core": found.outside_core} if any(found.outside_core.values()) else {}),
            **sequence_facts(
                histories.counts,
                item_ids.len(),
                ties=found.ties,
                newest_first=found.newest_first,
                dropped=found.dropped,
            ),
            "histories": histories.whole_facts,
            **growth,
            **item_facts(described, texts, histories.counts.taken if options.keep_cold_items else None),
            **({"bad_rows": bad_rows.found} if bad_rows.found else {}),
        }
        for warning in warnings_about(facts):
            run.warn(warning)
        if gone := [view for view in known.views if view not in described.frame.columns] if known else []:
            named = ", ".join(map(repr, gone))
            run.warn(f"the catalogue that is extended also has {named}; see --views to keep its texts")
        # Files of a version that had no histories stay as they are, and with them all that was made from them.
        with run.measure("write"):
            if not earlier:
                write_items(run.path(ITEMS), described.frame, run.lineage(facts))
            # Sequences and histories name the very items.parquet whose numbers they use.
            run.inputs[ITEMS] = run.fingerprints.of_contents(run.path(ITEMS))
            histories.write_histories(run.path(HISTORIES), run.lineage(facts))
            if not earlier:
                histories.write_sequences(run.path(SEQUENCES), run.lineage(facts))
    return run.result(facts)


def _work(options: PreprocessOptions, source: LogSource, bad_rows: BadRows, run: StageRun, stack: ExitStack) -> Work:
    """Read, filter and split the log, here or on a cluster that is there until the stack is left."""
    if options.engine == LOCAL:
        return LocalWork(options, source, bad_rows, run)
    return ClusterWork(options, source, stack.enter_context(cluster(options.address, run.reporter)), run)


def _catalogue(taken: pl.Series, texts: ItemTable | None, known: KnownItems | None) -> tuple[pl.Series, dict[str, Any]]:
    """The ids of the items 1..N: those that are taken or described, in byte order, after those known before."""
    now = taken if texts is None else pl.concat([taken, texts.frame[ID]]).unique().sort()
    if known is None:
        return now, {}
    item_ids, counts = known.followed_by(now)
    return item_ids, {EXTENDED: counts}


def _check_threads(options: PreprocessOptions, run: StageRun) -> None:
    """Say so where polars has more threads than asked for: their number is fixed when it is first imported."""
    if options.threads is not None and (found := pl.thread_pool_size()) > options.threads:
        run.warn(f"--threads {options.threads}: polars has started with {found}; set POLARS_MAX_THREADS before")


def _make_folder(workdir: Path) -> None:
    require_utf8(workdir)
    try:
        workdir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"cannot write in {workdir}: {error.strerror}", "Choose a folder that can be written with --workdir."
        ) from error
