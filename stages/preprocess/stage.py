"""The stage's entry point."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

from stages.artifacts import names
from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.fingerprints import Fingerprints
from stages.artifacts.lineage import Lineage, fresh_lineage
from stages.frame.allocator import keep_freed_memory
from stages.frame.reporter import Reporter
from stages.frame.result import Result
from stages.preprocess.columns import ID
from stages.preprocess.facts import item_facts, sequence_facts, warnings_about
from stages.preprocess.histories.file import write_sequences
from stages.preprocess.histories.filters import Filters
from stages.preprocess.histories.interactions import add_items
from stages.preprocess.histories.split import Scheme
from stages.preprocess.histories.temporal import Cutoffs
from stages.preprocess.items.file import items_frame, write_items
from stages.preprocess.items.item_table import Wanted
from stages.preprocess.items.source import find_items
from stages.preprocess.items.views import select_views
from stages.preprocess.logs.clock import Moment, read_clock
from stages.preprocess.logs.log import LogColumns
from stages.preprocess.logs.source import find_log
from stages.preprocess.sources.bad_rows import BadRows
from stages.preprocess.sources.finder import Finder, raw_fingerprints
from stages.preprocess.sources.formats import AUTO


def preprocess(
    inputs: Sequence[str | Path],
    *,
    workdir: Path,
    items: Sequence[str | Path] = (),
    format: str = AUTO,
    items_format: str = AUTO,
    user_column: str | None = None,
    item_column: str | None = None,
    time_column: str | None = None,
    rating_column: str | None = None,
    rating_min: float | None = None,
    items_id_column: str | None = None,
    views: Sequence[str] | None = None,
    view_template: Sequence[str] = (),
    keep_cold_items: bool = False,
    since: Moment | None = None,
    until: Moment | None = None,
    k_core: int | None = None,
    sample_users: int | None = None,
    seed: int = 0,
    split: str = AUTO,
    targets: str | None = None,
    valid_from: Moment | None = None,
    test_from: Moment | None = None,
    valid_share: float | None = None,
    test_share: float | None = None,
    max_bad_rows: int = 0,
    max_size: float = 20.0,
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
        inputs: the log in one format: files, folders (also of Hugging Face datasets), patterns with ``*``, or
            addresses (``https://``, ``s3://``, ``gs://``), which are copied into the work directory. Of a published
            split on this machine the training file is enough.
        workdir: the work directory, made when missing.
        items: the item metadata, in the same ways, or none.
        format: format of the log: ``auto`` or a name in ``logs.readers.LOG_READERS``.
        items_format: format of the item metadata: ``auto`` or a name in
            ``items.readers.ITEM_READERS``.
        user_column: column of the log that holds the user's id; by default that of the format, for tables ``user_id``.
        item_column: column of the log that holds the item's id; by default that of the format, for tables ``item_id``,
            ``parent_asin`` or ``asin``.
        time_column: column of the log that holds the time (a number, or a date); by default that of the format,
            for tables ``timestamp``. A table without it is taken to be in the order of events.
        rating_column: column of the log that holds the rating, by default that of the format, for tables ``rating``;
            read only with ``rating_min``.
        rating_min: drop interactions that are rated lower or not rated.
        items_id_column: column of the metadata that holds the item's id; by default named as in the log.
        views: text columns of the metadata to keep, in this order, under another name where one is given as
            ``NAME=COLUMN``; by default those of the format, for tables all columns of texts.
        view_template: further views put together from columns, each as ``NAME=TEMPLATE`` such as
            ``text=title: {title}[ by {brand}]``. What stands in square brackets is left out where its column has no
            text; where a column outside of brackets has none, the view has none. ``views`` may name templates to
            put them in order; the others come last.
        keep_cold_items: give items that occur in the metadata alone a number too, as candidates without history.
        since: drop interactions before this moment: an ISO date or time, or a number in the unit of the log.
        until: drop interactions at this moment and later.
        k_core: keep users and items with at least this many interactions, repeated until it holds for all; 0 keeps
            everything. By default 5, and 0 for files that come with a split.
        sample_users: keep only this many users, drawn after the k-core filter.
        seed: of the draw of users.
        split: ``auto`` (the published split, else ``leave-one-out``), ``leave-one-out`` or ``temporal``.
        targets: of a temporal split, which of a user's interactions in validation and in test are targets: ``first``
            (the default) or ``last``, the user's others of that part being left out, or ``all``, ranked with the
            history that was known when the part began.
        valid_from: first moment of validation, as ``since``.
        test_from: first moment of test, as ``since``.
        valid_share: share of all interactions for validation instead of moments; by default 0.1.
        test_share: share of all interactions, the latest, for test; by default 0.1.
        max_bad_rows: pass over this many malformed lines of JSON, in all files together, each being named.
        max_size: most gigabytes that a remote file may have.
        force: run even if the artifacts are up to date.
        reporter: where progress and messages go.

    Returns:
        The artifacts and what is known of the data.

    Raises:
        UsageError: when an option does not fit the data.
        DataError: when a file is missing, malformed, or nothing is left of it.
    """
    workdir, reporter = Path(workdir), reporter or Reporter()
    started = perf_counter()
    bad_rows = BadRows(max_bad_rows)
    columns = LogColumns(user_column, item_column, time_column, rating_column, rating_min)
    selection = select_views(list(views) if views else None, view_template)
    filters = Filters(since, until, k_core, sample_users, seed)
    scheme = Scheme(split, targets, Cutoffs(valid_from, test_from, valid_share, test_share))

    _make_folder(workdir)
    finder = Finder(workdir, round(max_size * 10**9), tolerant=max_bad_rows > 0)
    log_source = find_log(inputs, format, columns, finder)
    item_source = find_items(items, items_format, items_id_column, str(log_source.columns.item), finder)
    needs_items = selection.option or ("--keep-cold-items" if keep_cold_items else None)
    if needs_items and item_source.reader is None:
        raise UsageError(f"{needs_items} needs item metadata", "Give the metadata with --items.")

    options: dict[str, Any] = {
        **log_source.options(),
        **item_source.options(),
        "views": list(views) if views else None,
        "view_template": list(view_template),
        "keep_cold_items": keep_cold_items,
        "max_bad_rows": max_bad_rows,
        **filters.options(),
        **scheme.options(),
    }
    fingerprints = Fingerprints(workdir)
    raw = raw_fingerprints([*log_source.samples, *item_source.samples], fingerprints)
    outputs = {name: workdir / name for name in (names.ITEMS, names.SEQUENCES)}
    fresh, _ = fresh_lineage(workdir, "preprocess", options, raw, fingerprints)
    if fresh and not force:
        return Result("preprocess", outputs, fresh.facts, True, tuple(warnings_about(fresh.facts)))

    log_source.announce(reporter)
    item_source.announce(reporter)
    keep_freed_memory()
    # The items' columns are checked before the log is read: a wrong name should not cost minutes.
    selection, text_columns = item_source.choose_views(selection, keep_cold_items, bad_rows)
    log = log_source.read(bad_rows, reporter)
    log_read = perf_counter()

    clock = read_clock(log.frame)
    k = filters.k_for(log)
    log = scheme.applied_to(log)
    interactions = filters.applied_to(log, k, clock)
    del log
    interactions, parts, split_facts = scheme.divide(interactions, clock)
    filtered = perf_counter()

    texts = item_source.read(text_columns, Wanted(interactions.item_ids, keep_cold_items), bad_rows, reporter)
    if texts is not None and keep_cold_items:
        interactions = add_items(interactions, texts.frame[ID])
    frame, empty = items_frame(interactions.item_ids, texts, selection.select())
    items_read = perf_counter()

    facts: dict[str, Any] = {
        "format": log_source.reader.name,
        "items_format": item_source.format,
        **split_facts,
        "time_unit": clock.unit,
        "implausible_times": clock.implausible,
        "k_core": k,
        "k_core_rounds": interactions.rounds,
        **sequence_facts(interactions, parts),
        **item_facts(frame, empty, texts, interactions if keep_cold_items else None),
        **({"bad_rows": bad_rows.found} if bad_rows.found else {}),
    }
    warnings = warnings_about(facts)
    for warning in warnings:
        reporter.warn(warning)

    lineage = Lineage("preprocess", options, raw, facts)
    write_items(outputs[names.ITEMS], frame, lineage)
    # The sequences name the very items.parquet whose numbers they use.
    lineage = replace(lineage, inputs={**raw, names.ITEMS: fingerprints.of(outputs[names.ITEMS])})
    write_sequences(outputs[names.SEQUENCES], interactions, parts, lineage)
    timings = {
        "read_log": log_read - started,
        "filter": filtered - log_read,
        "read_items": items_read - filtered,
        "write": perf_counter() - items_read,
    }
    return Result("preprocess", outputs, facts, warnings=tuple(warnings), timings=timings)


def _make_folder(workdir: Path) -> None:
    try:
        workdir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"cannot write in {workdir}: {error.strerror}", "Choose a folder that can be written with --workdir."
        ) from error
