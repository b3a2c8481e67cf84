"""Reads what other stages are handed from outside: histories, columns of ids, ids that a condition chooses.

``recommend`` is given these functions: it reads all that ``preprocess`` reads, and needs polars for nothing else.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import polars as pl
import pyarrow as pa

from stages.artifacts.errors import DataError
from stages.artifacts.histories import Histories, NamedHistories
from stages.artifacts.names import Columns
from stages.frame.reporter import Reporter
from stages.preprocess.columns import ITEM, TIME, USER
from stages.preprocess.histories.interactions import filter_log, grouped
from stages.preprocess.logs.log import Log, LogColumns
from stages.preprocess.logs.readers import LOG_READERS
from stages.preprocess.logs.readers.table import TABLE
from stages.preprocess.options import AUTO
from stages.preprocess.sources.bad_rows import BadRows
from stages.preprocess.sources.conditions import read_condition
from stages.preprocess.sources.finder import Finder
from stages.preprocess.sources.formats import choose_reader
from stages.preprocess.sources.ids import id_text, one_spelling
from stages.preprocess.sources.preparation import Preparation
from stages.preprocess.sources.reading import AS_IT_IS
from stages.preprocess.sources.records import HALF
from stages.preprocess.sources.sample import Sample
from stages.preprocess.sources.scan import collect, require_rows, scan, schema, types_of

Read = TypeVar("Read")
_EXAMPLE = "brand = 'Fender' AND price < 50"
_MOST_BYTES = 20 * 10**9
_ID = "\1id"
"""A name that no column of a table has."""


def read_named_histories(
    path: Path,
    workdir: Path,
    *,
    columns: Mapping[str, str | None],
    usual: Mapping[str, str],
    reporter: Reporter,
) -> NamedHistories:
    """Histories from any log that ``preprocess`` reads, or from a table with a row per user.

    Such a table has a column ``item_ids``: lists, oldest first, or texts of ids separated by blanks or as a JSON list.
    Users come in the byte order of their ids.

    Args:
        path: the file.
        workdir: keeps copies of remote files.
        columns: those that the user names as ``user_column``, ``item_column`` and ``time_column``.
        usual: the same, read where none is named and the file has them.
        reporter: is told about progress.

    Raises:
        DataError: when the file is missing, malformed or holds nothing, naming column and row.
    """

    def read(samples: list[Sample], preparation: Preparation) -> NamedHistories:
        if Columns.ITEM_IDS in samples[0].columns:
            return _from_lists(samples, columns.get("user_column") or Columns.USER_ID)
        said = columns.get("item_column") or usual.get("item_column") == Columns.ITEMS
        if not said and samples[0].kind == "parquet" and {Columns.USER_ID, Columns.ITEMS} <= set(samples[0].columns):
            raise DataError(
                f"{samples[0].path} holds the item numbers of a work directory, as histories.parquet and "
                "sequences.parquet do",
                "Leave --histories out to serve histories.parquet, or give item ids in a column item_ids.",
            )
        reader = choose_reader(LOG_READERS, samples, AUTO, "--histories")
        samples = [preparation.ready(sample) for sample in reader.complete(samples)]
        there = {name: column for name, column in usual.items() if reader is TABLE and column in samples[0].columns}
        wanted = {name: columns.get(name) or there.get(name) for name in ("user_column", "item_column", "time_column")}
        named = LogColumns(wanted["user_column"], wanted["item_column"], wanted["time_column"])
        chosen = reader.resolve(samples, named)
        reporter.info(f"{path.name}: read as {reader.name} ({reader.summary})")
        return _named(reader.read(samples, chosen, reporter))

    return _read(path, workdir, read)


def read_id_column(path: Path, workdir: Path, columns: Sequence[str], option: str) -> pa.ChunkedArray:
    """The ids in a file: a column of a table, or all lines of a file with one id a line.

    Args:
        path: the file.
        workdir: keeps copies of remote files.
        columns: names that the column may have, the first that is there is read.
        option: that names the column, for errors.

    Returns:
        (n,) string, without empty ones.

    Raises:
        DataError: when the file is missing or malformed, or has none of the columns.
    """

    def read(samples: list[Sample], preparation: Preparation) -> pa.ChunkedArray:
        frames, alone = [], []
        for sample in samples:
            name = next((name for name in columns if name in sample.columns), None)
            if name is None:
                if len(sample.columns) != 1 or sample.kind != "csv":
                    sample.require(columns[0], option)
                [name] = sample.columns
                alone.append(name)  # no header, but the first id
            frame = scan(sample, [name])
            ids = collect(frame.select(id_text(name, types_of(frame, sample)[name]).alias(ITEM)), [sample])
            require_rows(ids.height, [sample])
            frames.append(ids)
        series = one_spelling(pl.concat([pl.DataFrame({ITEM: alone}, {ITEM: pl.String}), *frames])[ITEM])
        return _strings(series.filter(series.is_not_null() & (series != "")))

    return _read(path, workdir, read)


def read_ids_where(path: Path, workdir: Path, id_columns: Sequence[str], where: str) -> pa.ChunkedArray:
    """The ids of the items for which a condition holds.

    Args:
        path: a table with a row per item.
        workdir: keeps copies of remote files.
        id_columns: names that the column of ids may have, the first that is there is read.
        where: an SQL expression on the columns of the table, as polars reads it.

    Raises:
        UsageError: when the condition is malformed, names no column or one that does not exist, or does not fit the
            columns' types.
        DataError: when the file is missing or malformed, or has no column of ids.
    """
    condition = read_condition(where, _EXAMPLE)

    def read(samples: list[Sample], preparation: Preparation) -> pa.ChunkedArray:
        found = []
        for sample in samples:
            condition.require_columns(
                sample,
                "Name a file with more columns, such as the item metadata, with --items; text stands in single quotes.",
            )
            name = next((name for name in id_columns if name in sample.columns), id_columns[0])
            sample.require(name, "--item-column")
            types = schema(sample)
            frame = scan(sample, list(dict.fromkeys([name, *condition.columns])))
            scanned = types_of(frame, sample)
            ids = id_text(name, scanned[name]).alias(_ID)
            rows = collect(frame.select(ids, *condition.inputs(scanned, types)), [sample])
            require_rows(rows.height, [sample])
            found.append(rows.select(_ID).filter(condition.holds(rows, types)))
        return _strings(one_spelling(pl.concat(found)[_ID].drop_nulls()))

    return _read(path, workdir, read)


def _read(path: Path, workdir: Path, read: Callable[[list[Sample], Preparation], Read]) -> Read:
    """Read the files that ``path`` means, made ready as those of a log are."""
    preparation = Preparation(workdir)
    try:
        samples = Finder(workdir, _MOST_BYTES, preparation).samples([path], "log", AS_IT_IS)
        return BadRows(0, preparation).read(samples, lambda ready: read(ready, preparation))
    finally:
        preparation.close()


def _strings(series: pl.Series) -> pa.ChunkedArray:
    return pa.chunked_array([series.to_arrow().cast(pa.string())])


def _named(log: Log) -> NamedHistories:
    """A log as histories, without filters."""
    interactions = filter_log(log, grouped(log), 0)
    lengths = np.bincount(interactions.users, minlength=interactions.user_ids.len())
    histories = Histories(_strings(interactions.user_ids), interactions.items, _offsets(lengths))
    return NamedHistories(histories, _strings(interactions.item_ids), interactions.dropped)


def _offsets(lengths: Any) -> Any:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _from_lists(samples: list[Sample], user_column: str) -> NamedHistories:
    frames = []
    for sample in samples:
        sample.require(user_column, "--user-column")
        frame = scan(sample, [user_column, Columns.ITEM_IDS])
        types = types_of(frame, sample)
        read = frame.select(id_text(user_column, types[user_column]).alias(USER), pl.col(Columns.ITEM_IDS).alias(ITEM))
        table = collect(read, [sample])
        require_rows(table.height, [sample])
        frames.append(table.with_columns(_lists(table[ITEM], sample), one_spelling(table[USER])))
    rows = pl.concat(frames)
    named = pl.col(USER).is_not_null() & (pl.col(USER) != "") & ~pl.col(USER).str.contains(HALF, literal=True)
    dropped = {"rows without a user": rows.height - rows.filter(named).height}
    rows = rows.filter(named)
    if not rows.height:
        raise DataError(f"{samples[0].path} holds no user", "Check that the file was exported in full.")
    users = rows[USER].unique().sort()
    taken = rows.explode(ITEM, empty_as_null=False).with_columns(pl.lit(None, pl.Int64).alias(TIME))
    if not taken.height:
        return NamedHistories(
            Histories(_strings(users), np.zeros(0, np.int32), _offsets(np.zeros(len(users)))),
            pa.chunked_array([], pa.string()),
            dropped,
        )
    found = _named(Log(taken, has_times=False, published_split=False, dropped=dropped))
    # Users whose list is empty have no interaction; they are to be served all the same.
    lengths = np.zeros(len(users), np.int64)
    known = pl.Series(found.histories.user_ids.to_pylist())
    lengths[users.search_sorted(known).to_numpy()] = np.diff(found.histories.offsets)
    histories = Histories(_strings(users), found.histories.items, _offsets(lengths))
    return NamedHistories(histories, found.item_ids, found.dropped)


def _lists(column: pl.Series, sample: Sample) -> pl.Series:
    """A column of histories as lists of texts."""
    if isinstance(column.dtype, pl.List) and (column.dtype.inner == pl.String or column.dtype.inner.is_integer()):
        lists = column.cast(pl.List(pl.String)).fill_null([])
        rows = lists.list.eval(pl.element().is_null()).list.any()
        if rows.any():
            raise _no_id(sample, int(rows.arg_true()[0]) + 1, None)
        return lists
    if column.dtype != pl.String:
        raise DataError(
            f"{sample.path}: column {Columns.ITEM_IDS!r} has type {column.dtype}, not lists of ids",
            "Give lists of texts, or ids separated by blanks.",
        )
    found = [_list(text, sample, row) for row, text in enumerate(column.to_list(), 1)]
    return pl.Series(column.name, found, pl.List(pl.String))


def _list(text: str | None, sample: Sample, row: int) -> list[str]:
    if text is None or not text.lstrip().startswith("["):
        return (text or "").split()
    try:
        values = json.loads(text, strict=False)  # with half characters as the engine marks them
    except ValueError as error:
        raise DataError(f"{sample.path}: column {Columns.ITEM_IDS!r}, row {row}: no JSON list: {error}") from error
    wrong = [value for value in values if not isinstance(value, str | int) or isinstance(value, bool) or value == ""]
    wrong = wrong or [value for value in values if isinstance(value, str) and HALF in value]
    if wrong:
        raise _no_id(sample, row, wrong[0])
    return [str(value) for value in values]


def _no_id(sample: Sample, row: int, value: Any) -> DataError:
    return DataError(
        f"{sample.path}: column {Columns.ITEM_IDS!r}, row {row}: {json.dumps(value)} is no id",
        "Ids are texts of whole characters, or whole numbers.",
    )
