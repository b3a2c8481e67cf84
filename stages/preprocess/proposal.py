"""A look at a log and its item metadata, and the options that suit them: what ``cocorec init`` writes down."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from stages.artifacts.errors import DataError
from stages.frame.options import declarations
from stages.frame.reporter import Reporter
from stages.preprocess.columns import ID, ITEM
from stages.preprocess.histories.interactions import grouped
from stages.preprocess.histories.k_core import k_core
from stages.preprocess.items.item_table import Wanted
from stages.preprocess.items.known import check_known
from stages.preprocess.items.source import ItemSource, find_items
from stages.preprocess.items.views import select_views
from stages.preprocess.logs.clock import read_clock
from stages.preprocess.logs.log import Log
from stages.preprocess.logs.readers import LOG_READERS
from stages.preprocess.logs.readers.table import TABLE
from stages.preprocess.logs.source import LogSource, find_log
from stages.preprocess.options import PreprocessOptions
from stages.preprocess.sources.bad_rows import BadRows
from stages.preprocess.sources.finder import Finder
from stages.preprocess.sources.formats import choose_reader
from stages.preprocess.sources.likely import Likely, likely_columns
from stages.preprocess.sources.preparation import Preparation
from stages.preprocess.sources.reading import reading_of_log
from stages.preprocess.sources.sample import Sample
from stages.preprocess.sources.scan import collect, scan

_CORES = (5, 3, 2)
_ENOUGH = 0.1
"""Of the interactions, what a k-core has to keep to be proposed."""

_FEW = 0.05
_MOST_VIEWS = 5
_NO_PROSE = r"^(https?://\S+|[-+]?[0-9.,]+|\d{4}-\d\d-\d\d\S*)$"
_USUAL = ("title", "name", "brand", "store", "categor", "class", "genre", "feature", "description", "text")


@dataclass(frozen=True)
class Proposal:
    """Options that suit the data, and what they were chosen by.

    Attributes:
        options: of ``preprocess``, by name: those that the user gave, and those that the data need.
        views: the text views of ``items.parquet``, the most telling first.
        left_out: columns of the metadata that are no views, with the reason.
        cores: by k, what a k-core keeps: ``users``, ``items``, ``interactions``; 0 is the whole log.
        kinds: column that tells kinds of interactions, and how many rows each has; ``None`` where there is none.
        rating: column of ratings, if any.
        facts: further things to tell, as JSON values.
    """

    options: dict[str, Any]
    views: tuple[str, ...]
    left_out: dict[str, str]
    cores: dict[int, dict[str, int]]
    kinds: tuple[str, dict[str, int]] | None
    rating: str | None
    facts: dict[str, Any]


def propose(options: PreprocessOptions, *, workdir: Path, reporter: Reporter | None = None) -> Proposal:
    """Look at the files and find options that suit them.

    Args:
        options: what the user says; it is kept.
        workdir: keeps copies of remote files.
        reporter: where progress and messages go.

    Raises:
        UsageError: when an option does not fit the data.
        DataError: when a file is missing or malformed, or no column looks like a user or an item.
    """
    reporter = reporter or Reporter()
    if options.extend is not None:
        check_known(options.extend)
    preparation = Preparation(workdir)
    try:
        finder = Finder(workdir, round(options.max_size * 10**9), preparation)
        return _Look(options, finder, BadRows(options.max_bad_rows, preparation), reporter).proposal()
    finally:
        preparation.close()


class _Look:
    def __init__(self, options: PreprocessOptions, finder: Finder, bad_rows: BadRows, reporter: Reporter) -> None:
        self._asked, self._finder, self._bad_rows, self._reporter = options, finder, bad_rows, reporter

    def proposal(self) -> Proposal:
        """Log first, then metadata, then what is left of both."""
        options, likely, table = self._with_columns()
        source = find_log(options, self._finder)
        source.announce(self._reporter)
        log = source.read(self._bad_rows, self._reporter)
        options, items = self._with_items(options, source, log)
        cores = {} if log.published_split else _cores(log)
        chosen: dict[str, Any] = _given(options)
        if options.k_core is None and cores:
            chosen["k_core"] = _chosen_core(cores)
        views, left_out = self._views(options, items, log)
        if views and options.views is None:
            chosen["views"] = list(views)
        if items.reader is not None:
            chosen["items"] = [str(name) for name in options.items] or [str(sample.path) for sample in items.samples]
        clock = read_clock(log.frame, log.scale)
        facts = {
            "format": source.reader.name,
            "items_format": items.format,
            "rows_read": log.rows,
            "published_split": log.published_split,
            "times": clock.unit or ("positions or counters" if log.has_times else None),
            "passed_over": self._finder.passed_over.messages,
        }
        kinds = None if table is None or likely.kind is None or options.where else _kinds(table, likely.kind)
        rating = likely.rating or (source.columns.rating if self._has_ratings(source) else None)
        return Proposal(chosen, tuple(views), left_out, cores, kinds, rating, facts)

    def _with_columns(self) -> tuple[PreprocessOptions, Likely, Sample | None]:
        """The options with the columns of a table that is no known format, and what its columns look like."""
        options, finder = self._asked, self._finder
        samples = finder.samples(options.inputs, "log", reading_of_log(options))
        reader = choose_reader(LOG_READERS, samples, options.format, "--format")
        if reader is not TABLE:
            return options, Likely(), None
        table = finder.preparation.ready(samples[0])
        likely = likely_columns(table)
        usual = {
            "user_column": (TABLE.user_columns, likely.user),
            "item_column": (TABLE.item_columns, likely.item),
            "time_column": (TABLE.time_columns, likely.time),
        }
        found: dict[str, Any] = {
            name: guess
            for name, (columns, guess) in usual.items()
            if getattr(options, name) is None and guess and not set(columns) & set(table.columns)
        }
        return replace(options, **found), likely, table

    def _with_items(
        self, options: PreprocessOptions, source: LogSource, log: Log
    ) -> tuple[PreprocessOptions, ItemSource]:
        """The metadata, and where its column of ids has another name, the column that holds ids of the log."""
        column = str(source.columns.item)
        try:
            found = find_items(options, column, self._finder)
        except DataError:
            if not options.items or options.items_id_column is not None:
                raise
            samples = self._finder.samples(options.items, "items", reading_of_log(options))
            holder = _column_of(log.frame[ITEM].unique(), self._finder.preparation.ready(samples[0]))
            if holder is None:
                raise
            options = replace(options, items_id_column=holder)
            found = find_items(options, column, self._finder)
        found.announce(self._reporter)
        return options, found

    def _views(self, options: PreprocessOptions, items: ItemSource, log: Log) -> tuple[list[str], dict[str, str]]:
        """The columns that say something of many items, and why the others do not."""
        selection = select_views(options.views or None, options.view_template)
        named, columns = items.choose_views(selection, False, self._bad_rows)
        if options.views is not None or options.view_template:
            return [name for name, _ in named.picked or ()], {}
        table = items.read(columns, Wanted(log.frame[ITEM].unique()), self._bad_rows, self._reporter)
        if table is None:
            return [], {}
        left_out: dict[str, str] = {}
        for view in table.views:
            if reason := _no_view(table.frame[view], table.frame[ID]):
                left_out[view] = reason
        views = sorted((view for view in table.views if view not in left_out), key=_rank)
        left_out |= dict.fromkeys(views[_MOST_VIEWS:], f"{_MOST_VIEWS} views are enough to begin with")
        return views[:_MOST_VIEWS], left_out

    def _has_ratings(self, source: LogSource) -> bool:
        return source.columns.rating in {name for sample in source.samples for name in sample.columns}


def _given(options: PreprocessOptions) -> dict[str, Any]:
    """The options that are not at their defaults, as JSON values."""
    recorded = options.recorded()
    found = {}
    for declared in declarations(PreprocessOptions):
        value = getattr(options, declared.name)
        if declared.name in recorded and value != declared.default:
            found[declared.name] = recorded[declared.name]
    return found


def _cores(log: Log) -> dict[int, dict[str, int]]:
    """What k-cores of a log keep."""
    found = grouped(log)
    cores = {}
    for k in (*_CORES, 0):
        users, items = found.users, found.items
        if k:
            mask, _ = k_core(users, items, k)
            users, items = users[mask], items[mask]
        counts = pl.Series(users).n_unique(), pl.Series(items).n_unique()
        cores[k] = {"users": counts[0], "items": counts[1], "interactions": len(users)}
    return cores


def _chosen_core(cores: Mapping[int, Mapping[str, int]]) -> int:
    whole = cores[0]["interactions"]
    return next((k for k in _CORES if cores[k]["interactions"] >= _ENOUGH * whole), 0)


def _kinds(table: Sample, column: str) -> tuple[str, dict[str, int]] | None:
    rows = collect(scan(table, [column]).select(pl.col(column).cast(pl.String)), [table])
    counts = rows[column].drop_nulls().value_counts(sort=True)
    return column, dict(counts.iter_rows())


def _column_of(ids: pl.Series, sample: Sample) -> str | None:
    """The column of a file that holds the most ids of the log."""
    best: tuple[int, str | None] = (0, None)
    for name in sample.columns:
        with suppress(DataError, pl.exceptions.PolarsError):
            values = collect(scan(sample, [name]).select(pl.col(name).cast(pl.String)), [sample])[name]
            best = max(best, (int(ids.is_in(values.unique().implode()).sum()), name), key=lambda found: found[0])
    return best[1]


def _no_view(texts: pl.Series, ids: pl.Series) -> str | None:
    """Why a column of texts is no view; ``None`` where it is one."""
    there = texts.filter(texts.is_not_null() & (texts.str.strip_chars() != ""))
    if len(there) < _FEW * len(ids):
        return f"{len(there):,} of {len(ids):,} items have it"
    if there.n_unique() == 1:
        return "it is the same for all items"
    if len(there.filter(there.str.contains(_NO_PROSE))) > 0.9 * len(there):
        return "numbers, dates or addresses"
    return None


def _rank(view: str) -> tuple[int, str]:
    """Usual names first, in their usual order."""
    found = [place for place, word in enumerate(_USUAL) if word in view.lower()]
    return (min(found, default=len(_USUAL)), view)
