"""The stage's entry point."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pyarrow as pa

from stages.artifacts import names
from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.fingerprints import Fingerprints
from stages.artifacts.items import items_schema
from stages.artifacts.lineage import RAW, Lineage, fresh_lineage
from stages.artifacts.sequences import SEQUENCES_SCHEMA
from stages.artifacts.tables import table_writer
from stages.frame.allocator import keep_freed_memory
from stages.frame.reporter import Reporter
from stages.frame.result import Result
from stages.preprocess.bad_rows import BadRows
from stages.preprocess.catalogue import choose_catalogue_reader
from stages.preprocess.catalogue.base import Catalogue, CatalogueReader, Wanted, choose_id_column
from stages.preprocess.clock import Moment, read_clock
from stages.preprocess.columns import ID
from stages.preprocess.facts import item_facts, sequence_facts, warnings_about
from stages.preprocess.interactions import add_items, filter_log
from stages.preprocess.interactions import sample_users as draw_users
from stages.preprocess.log import LogColumns
from stages.preprocess.paths import find_files
from stages.preprocess.readers import AUTO, choose_log_reader
from stages.preprocess.sample import Sample, take_sample
from stages.preprocess.split import Scheme
from stages.preprocess.tables import items_frame, items_tables, sequences_tables
from stages.preprocess.temporal import Cutoffs
from stages.preprocess.views import Plan, read_plan

K_CORE = 5
"""The filter for logs without a published split, as in the 5-core data sets that papers report on."""


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
        format: format of the log: ``auto`` or a name in ``readers.LOG_READERS``.
        items_format: format of the metadata: ``auto`` or a name in ``catalogue.CATALOGUE_READERS``.
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
    if not inputs:
        raise UsageError("no input file is named", "Name the log, for example `cocorec preprocess reviews.jsonl.gz`.")
    if k_core is not None and k_core < 0:
        raise UsageError(f"--k-core {k_core} is less than 0")
    if sample_users is not None and sample_users < 1:
        raise UsageError(f"--sample-users {sample_users} is less than 1")
    if max_bad_rows < 0:
        raise UsageError(f"--max-bad-rows {max_bad_rows} is less than 0")
    bad_rows = BadRows(max_bad_rows)
    most_bytes = round(max_size * 10**9)
    plan = read_plan(list(views) if views else None, view_template)
    scheme = Scheme(split, targets, Cutoffs(valid_from, test_from, valid_share, test_share))
    _make_folder(workdir)
    samples = [take_sample(path, max_bad_rows > 0) for path in find_files(inputs, "log", workdir, most_bytes)]
    reader = choose_log_reader(samples, format)
    samples = reader.complete(samples)
    columns = reader.resolve(samples, LogColumns(user_column, item_column, time_column, rating_column, rating_min))
    item_samples = [take_sample(path, max_bad_rows > 0) for path in find_files(items, "items", workdir, most_bytes)]
    catalogue_reader = choose_catalogue_reader(item_samples, items_format) if item_samples else None
    id_column = choose_id_column(item_samples, items_id_column, str(columns.item)) if item_samples else None
    if catalogue_reader is None and (views or view_template or keep_cold_items):
        option = "--views" if views else "--view-template" if view_template else "--keep-cold-items"
        raise UsageError(f"{option} needs item metadata", "Give the metadata with --items.")

    options: dict[str, Any] = {
        "log_format": reader.name,
        "log_files": [sample.path.name for sample in samples],
        "metadata_format": catalogue_reader.name if catalogue_reader else None,
        "metadata_files": [sample.path.name for sample in item_samples],
        "user_column": columns.user,
        "item_column": columns.item,
        "time_column": columns.time,
        "rating_column": columns.rating if columns.rating_min is not None else None,
        "rating_min": columns.rating_min,
        "items_id_column": id_column,
        "views": list(views) if views else None,
        "view_template": list(view_template),
        "keep_cold_items": keep_cold_items,
        "max_bad_rows": max_bad_rows,
        "since": since,
        "until": until,
        "k_core": k_core,
        "sample_users": sample_users,
        **({"seed": seed} if sample_users is not None else {}),
        **scheme.options(),
    }
    fingerprints = Fingerprints(workdir)
    raw = _raw_inputs([*samples, *item_samples], fingerprints)
    outputs = {name: workdir / name for name in (names.ITEMS, names.SEQUENCES)}
    fresh, _ = fresh_lineage(workdir, "preprocess", options, raw, fingerprints)
    if fresh and not force:
        return Result("preprocess", outputs, fresh.facts, True, tuple(warnings_about(fresh.facts)))

    reporter.info(f"{samples[0].path.name}: read as {reader.name} ({reader.summary})")
    if catalogue_reader:
        reporter.info(f"{item_samples[0].path.name}: read as {catalogue_reader.name} ({catalogue_reader.summary})")
    keep_freed_memory()
    # The metadata's columns are judged before the log is read: a wrong name should not cost minutes.
    texts: list[str] = []
    if catalogue_reader is not None:
        plan, texts = bad_rows.read(item_samples, partial(_choose_texts, catalogue_reader, plan, str(id_column)))
        if keep_cold_items and not texts:
            raise UsageError("--keep-cold-items needs a view", "Give metadata with texts, or name a column in --views.")
    log = bad_rows.read(samples, lambda clean: reader.read(clean, columns, reporter))
    log_read = perf_counter()
    clock = read_clock(log.frame)
    k = k_core if k_core is not None else (0 if log.published_split else K_CORE)
    log = scheme.applied_to(log).between(since, until, clock)
    interactions = filter_log(log, k)
    del log
    if sample_users is not None:
        interactions = draw_users(interactions, sample_users, seed)
    interactions, parts, split_facts = scheme.divide(interactions, clock)
    filtered = perf_counter()
    catalogue: Catalogue | None = None
    if catalogue_reader is not None and texts:
        wanted = Wanted(interactions.item_ids, keep_cold_items)
        catalogue = bad_rows.read(
            item_samples, partial(_read_texts, catalogue_reader, str(id_column), texts, wanted, reporter)
        )
        if keep_cold_items:
            interactions = add_items(interactions, catalogue.frame[ID])
    frame, empty = items_frame(interactions.item_ids, catalogue, plan.select())
    catalogue_read = perf_counter()
    facts: dict[str, Any] = {
        "format": reader.name,
        "items_format": catalogue_reader.name if catalogue_reader else None,
        **split_facts,
        "time_unit": clock.unit,
        "implausible_times": clock.implausible,
        "k_core": k,
        "k_core_rounds": interactions.rounds,
        **sequence_facts(interactions, parts),
        **({"cold_items": frame.height - np.unique(interactions.items).size} if keep_cold_items else {}),
        **item_facts(frame, empty, catalogue),
        **({"bad_rows": bad_rows.found} if bad_rows.found else {}),
    }
    warnings = warnings_about(facts)
    for warning in warnings:
        reporter.warn(warning)

    lineage = Lineage("preprocess", options, raw, facts)
    _write(outputs[names.ITEMS], items_schema(frame.columns[2:]), items_tables(frame), lineage)
    # The sequences name the very items.parquet whose numbers they use.
    lineage = replace(lineage, inputs={**raw, names.ITEMS: fingerprints.of(outputs[names.ITEMS])})
    _write(outputs[names.SEQUENCES], SEQUENCES_SCHEMA, sequences_tables(interactions, parts), lineage)
    timings = {
        "read_log": log_read - started,
        "filter": filtered - log_read,
        "read_metadata": catalogue_read - filtered,
        "write": perf_counter() - catalogue_read,
    }
    return Result("preprocess", outputs, facts, warnings=tuple(warnings), timings=timings)


def _choose_texts(reader: CatalogueReader, plan: Plan, id_column: str, samples: list[Sample]) -> tuple[Plan, list[str]]:
    """The plan with all views named, and the columns that it needs."""
    picked = reader.views(samples, id_column, plan.wanted) if plan.wanted != [] else []
    fields = reader.views(samples, id_column, plan.fields) if plan.fields else []
    return plan.named(picked), list(dict.fromkeys([*picked, *fields]))


def _read_texts(
    reader: CatalogueReader,
    id_column: str,
    texts: list[str],
    wanted: Wanted,
    reporter: Reporter,
    samples: list[Sample],
) -> Catalogue:
    return reader.read(samples, id_column, texts, wanted, reporter)


def _raw_inputs(samples: list[Sample], fingerprints: Fingerprints) -> dict[str, str]:
    """The fingerprints of the raw files; files of the same name in different folders are numbered."""
    raw: dict[str, str] = {}
    for sample in samples:
        name, number = RAW + sample.path.name, 2
        while name in raw:
            name, number = f"{RAW}{sample.path.name}#{number}", number + 1
        raw[name] = fingerprints.of(sample.path)
    return raw


def _make_folder(workdir: Path) -> None:
    try:
        workdir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"cannot write in {workdir}: {error.strerror}", "Choose a folder that can be written with --workdir."
        ) from error


def _write(path: Path, schema: pa.Schema, tables: Iterable[pa.Table], lineage: Lineage) -> None:
    with table_writer(path, schema) as writer:
        for table in tables:
            writer.write(table)
        writer.set_lineage(lineage)
