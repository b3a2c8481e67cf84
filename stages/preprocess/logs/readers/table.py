"""Logs with one interaction per row: any table, and the data sets that are such tables under names of their own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from stages.artifacts.errors import DataError
from stages.frame.reporter import Reporter
from stages.preprocess.columns import ITEM, RATING, TIME, USER
from stages.preprocess.logs.log import Log, LogColumns, Notes, Rows
from stages.preprocess.logs.times import finish_times, quick_time, refuse_texts
from stages.preprocess.sources.conditions import Condition, read_condition
from stages.preprocess.sources.ids import doubtful, id_text, one_spelling
from stages.preprocess.sources.records import HALF
from stages.preprocess.sources.sample import Sample, file_names
from stages.preprocess.sources.scan import collect, require_rows, scan, schema, types_of

_NO_RATING = "no_rating"
_OWN = "\1"
"""Before the names of the stage, where columns of the file stand beside them."""


@dataclass(frozen=True)
class TableLogReader:
    """Reads a log with one interaction per row.

    Attributes:
        name: what ``--format`` calls it.
        summary: the format in a few words.
        user_columns, item_columns, time_columns, rating_columns: looked for, in this order, when none is named.
        needs: columns by which a file is recognised; with the following, the signature of a known format.
        kinds: the kinds of file of a known format, none for any.
        typed: only files whose header names types.
    """

    name: str
    summary: str
    user_columns: tuple[str, ...] = ("user_id",)
    item_columns: tuple[str, ...] = ("item_id", "parent_asin", "asin")
    time_columns: tuple[str, ...] = ("timestamp",)
    rating_columns: tuple[str, ...] = ("rating",)
    needs: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    typed: bool = False

    def recognises(self, sample: Sample) -> bool:
        """Whether the file has the kind and the columns of the format."""
        kind = not self.kinds or sample.kind in self.kinds
        return kind and self.needs <= set(sample.columns) and (sample.typed or not self.typed)

    def complete(self, samples: list[Sample]) -> list[Sample]:
        """The given files: nothing else belongs to them."""
        return samples

    def resolve(self, samples: list[Sample], columns: LogColumns) -> LogColumns:
        """Name the columns that will be read.

        Raises:
            DataError: when a file lacks one that was asked for or is needed.
        """
        first = samples[0]
        # Of any file: that a file lacks the times of the others is no reason to leave these out.
        every = {name for sample in samples for name in sample.columns}
        time = columns.time or next((name for name in self.time_columns if name in every), None)
        resolved = replace(
            columns,
            user=columns.user or _find(first, self.user_columns),
            item=columns.item or _find(first, self.item_columns),
            time=time,
            rating=columns.rating or _find(first, self.rating_columns),
        )
        for sample in samples:
            sample.require(str(resolved.user), "--user-column")
            sample.require(str(resolved.item), "--item-column")
            if time is not None and not (sample.has_records and time in every):
                sample.require(time, "--time-column")
            if columns.rating_min is not None:
                sample.require(str(resolved.rating), "--rating-column")
            if columns.where is not None:
                _condition(columns.where).require_columns(sample, "Text stands in single quotes, names in double ones.")
        return resolved

    def read(self, samples: list[Sample], columns: LogColumns, reporter: Reporter) -> Log:
        """Read the interactions in the order of the files and their rows.

        Raises:
            DataError: when a file is malformed or a time or rating cannot be understood.
        """
        parts = [self.rows_of(number, samples, columns) for number in range(len(samples))]
        with reporter.track(f"reading {file_names(samples)}", unit="rows") as advance:
            if columns.where is None:
                frame = collect(pl.concat([part.frame for part in parts]), samples)
                rows = frame.height
            else:
                frame, rows = _collect_kept(parts, samples)
            advance(rows)
        require_rows(rows, samples)
        self.require_interactions(rows, frame.height, samples, columns)
        others = {f"rows outside --where {columns.where}": rows - frame.height} if columns.where is not None else {}
        frame, unusable = self.clean(frame, samples, columns)
        frame, scale = finish_times(frame, samples, columns.time, columns.time_format)
        has_times = frame[TIME].null_count() < frame.height
        frame, timeless, _ = self.put_together(frame, samples, columns, has_times)
        found = {name: words for name in (USER, ITEM) if (words := doubtful(frame[name]))}
        return Log(frame, has_times, False, {**others, **unusable, **timeless}, scale, found, rows)

    @property
    def published_split(self) -> bool:
        """No such file has a split."""
        return False

    def with_rows(self, samples: list[Sample]) -> list[Sample]:
        """All files."""
        return samples

    def rows_of(self, number: int, samples: list[Sample], columns: LogColumns) -> Rows:
        """The columns of one file under the stage's names; a value that cannot be read is kept as text."""
        sample = samples[number]
        if columns.where is not None:
            return _where(sample, columns, _condition(columns.where))
        frame = scan(sample, list(dict.fromkeys(_wanted(columns))))
        return Rows(frame.select(_own(columns, types_of(frame, sample))))

    def require_interactions(self, rows: int, kept: int, samples: Sequence[Sample], columns: LogColumns) -> None:
        """Refuse a log without a row, and one of whose rows --where holds for none.

        Raises:
            DataError: saying so.
        """
        if not rows:
            raise DataError(
                f"{samples[0].path} holds no interaction", "Check that the file was downloaded or exported in full."
            )
        if not kept:
            raise DataError(
                f"{samples[0].path}: --where {columns.where!r} holds for none of the {rows:,} rows",
                "Compare with a value that the column has; texts are compared letter by letter.",
            )

    def clean(
        self, frame: pl.DataFrame, samples: Sequence[Sample], columns: LogColumns
    ) -> tuple[pl.DataFrame, dict[str, int]]:
        """Drop rows with half a character, headers, rows without user or item, and those that are rated too low.

        Raises:
            DataError: when a rating cannot be understood.
        """
        dropped: dict[str, int] = {}
        if any(sample.has_records for sample in samples):
            half = pl.any_horizontal(pl.col(USER, ITEM).str.contains(HALF, literal=True).fill_null(False))
            frame, dropped["rows with half a character in an id"] = _drop(frame, half)
        frame, dropped["rows that repeat the header"] = _without_headers(frame, samples, columns)
        frame = frame.with_columns(one_spelling(frame[USER]), one_spelling(frame[ITEM]))
        nameless = pl.any_horizontal(pl.col(USER, ITEM).is_null() | (pl.col(USER, ITEM) == ""))
        frame, dropped["rows without a user or an item"] = _drop(frame, nameless)
        if columns.rating_min is not None:
            refuse_texts(frame[_NO_RATING], samples, columns.rating, "a number")
            low = pl.col(RATING).is_null() | pl.col(RATING).is_nan() | (pl.col(RATING) < columns.rating_min)
            frame, dropped[f"rows rated below {columns.rating_min:g} or not rated"] = _drop(frame, low)
            frame = frame.drop(RATING, _NO_RATING)
        return frame, dropped

    def put_together(
        self, frame: pl.DataFrame, samples: list[Sample], columns: LogColumns, has_times: bool
    ) -> tuple[pl.DataFrame, dict[str, int], Notes]:
        """Drop rows without a time, where others have one."""
        dropped: dict[str, int] = {}
        if has_times:
            frame, dropped["rows without a time"] = _drop(frame, pl.col(TIME).is_null())
        return frame.select(USER, ITEM, TIME), dropped, {}


def _condition(where: str) -> Condition:
    return read_condition(where, "event = 'purchase' AND price > 0")


def _collect_kept(parts: Sequence[Rows], samples: list[Sample]) -> tuple[pl.DataFrame, int]:
    """The rows of all files that are kept, and how many rows there are."""
    chosen, count = [], 0
    for part, sample in zip(parts, samples, strict=True):
        assert part.kept is not None
        rows = collect(part.frame, [sample])
        chosen.append(part.kept(rows))
        count += rows.height
    return pl.concat(chosen), count


def _where(sample: Sample, columns: LogColumns, condition: Condition) -> Rows:
    """The rows of one file for which a condition holds."""
    types = schema(sample)
    frame = scan(sample, list(dict.fromkeys([*_wanted(columns), *condition.columns])))
    scanned = types_of(frame, sample)
    own = _own(columns, scanned)
    names = [expression.meta.output_name() for expression in own]
    named = [expression.alias(f"{_OWN}{name}") for expression, name in zip(own, names, strict=True)]

    def kept(rows: pl.DataFrame) -> pl.DataFrame:
        holds = rows.filter(condition.holds(rows, types))
        return holds.select(pl.col(f"{_OWN}{name}").alias(name) for name in names)

    return Rows(frame.select(*named, *condition.inputs(scanned, types)), kept)


def _wanted(columns: LogColumns) -> list[str]:
    rating = columns.rating if columns.rating_min is not None else None
    return [name for name in (columns.user, columns.item, columns.time, rating) if name]


def _own(columns: LogColumns, types: Mapping[str, pl.DataType]) -> list[pl.Expr]:
    """What is read of a file, from its columns."""
    selected = [
        id_text(str(columns.user), types[str(columns.user)]).alias(USER),
        id_text(str(columns.item), types[str(columns.item)]).alias(ITEM),
    ]
    selected += quick_time(columns.time, types[columns.time] if columns.time else None, columns.time_format)
    if columns.rating_min is not None:
        text = pl.col(str(columns.rating)).cast(pl.String, strict=False).str.strip_chars().replace("", None)
        text = text.replace("NaN", None) if types[str(columns.rating)].is_float() else text
        rating = text.cast(pl.Float64, strict=False)
        selected += [rating.alias(RATING), pl.when(rating.is_null()).then(text).alias(_NO_RATING)]
    return selected


def _without_headers(frame: pl.DataFrame, samples: Sequence[Sample], columns: LogColumns) -> tuple[pl.DataFrame, int]:
    """The interactions without headers in the middle, as files have them that were put together.

    Raises:
        DataError: when such a header has the columns in another order.
    """
    names = {name for sample in samples for name in (sample.names or sample.columns)}
    asked = [str(columns.user), str(columns.item)]
    raw = [
        next((name for name in names if name == column or name.startswith(f"{column}:")), column) for column in asked
    ]
    same = (pl.col(USER) == raw[0]) & (pl.col(ITEM) == raw[1])
    swapped = (pl.col(USER) == raw[1]) & (pl.col(ITEM) == raw[0])
    if frame.select(swapped.any()).item():
        raise DataError(
            f"{', '.join(str(sample.path) for sample in samples)}: a second header has the columns in another order",
            "Give its rows as a file of their own.",
        )
    return _drop(frame, same)


def _find(sample: Sample, names: tuple[str, ...]) -> str:
    """The first of the names that the file has; if it has none, the one to miss."""
    return next((name for name in names if name in sample.columns), names[0])


def _drop(frame: pl.DataFrame, condition: pl.Expr) -> tuple[pl.DataFrame, int]:
    if not frame.select(condition.any()).item():
        return frame, 0  # as in most logs, and without a copy
    kept = frame.filter(~condition)
    return kept, frame.height - kept.height


TABLE = TableLogReader("table", "one interaction per row: CSV, TSV, JSON lines, Parquet, Arrow or Feather")
