"""Logs with one interaction per row: any CSV, TSV, JSON lines or Parquet file, and the raw reviews of Amazon."""

from dataclasses import dataclass, replace

import polars as pl

from stages.artifacts.errors import DataError
from stages.artifacts.reporter import Reporter
from stages.preprocess.columns import ITEM, RATING, TIME, USER
from stages.preprocess.log import Log, LogColumns
from stages.preprocess.sample import Sample
from stages.preprocess.scan import collect, scan
from stages.preprocess.times import finish_times, quick_time, refuse_texts

_NO_RATING = "no_rating"


@dataclass(frozen=True)
class TableReader:
    """Reads a log with one interaction per row.

    Attributes:
        name: what ``--format`` calls it.
        summary: the format in a few words.
        item_columns: columns looked for, in this order, when no item column is named.
        time_column: looked for when no time column is named.
        needs: columns by which a file is recognised; with ``kind``, the signature of a known format.
        kind: the kind of file of a known format, ``None`` for any.
    """

    name: str
    summary: str
    item_columns: tuple[str, ...] = ("item_id", "parent_asin", "asin")
    time_column: str = "timestamp"
    needs: frozenset[str] = frozenset()
    kind: str | None = None

    def recognises(self, sample: Sample) -> bool:
        """Whether the file has the kind and the columns of the format."""
        return self.kind in (None, sample.kind) and self.needs <= set(sample.columns)

    def complete(self, samples: list[Sample]) -> list[Sample]:
        """The given files: nothing else belongs to them."""
        return samples

    def resolve(self, samples: list[Sample], columns: LogColumns) -> LogColumns:
        """Name the columns that will be read.

        Raises:
            DataError: when a file lacks one that was asked for or is needed.
        """
        known = [name for name in self.item_columns if name in samples[0].columns]
        item = columns.item or (known[0] if known else self.item_columns[0])
        time = columns.time or (self.time_column if self.time_column in samples[0].columns else None)
        for sample in samples:
            sample.require(columns.user, "--user-column")
            sample.require(item, "--item-column")
            if time is not None:
                sample.require(time, "--time-column")
            if columns.rating_min is not None:
                sample.require(columns.rating, "--rating-column")
        return replace(columns, item=item, time=time)

    def read(self, samples: list[Sample], columns: LogColumns, reporter: Reporter) -> Log:
        """Read the interactions in the order of the files and their rows.

        Raises:
            DataError: when a file is malformed or a time or rating cannot be understood.
        """
        with reporter.track(f"reading {', '.join(sample.path.name for sample in samples)}", unit="rows") as advance:
            frame = collect(pl.concat([_interactions(sample, columns) for sample in samples]), samples)
            advance(frame.height)
        if not frame.height:
            raise DataError(
                f"{samples[0].path} holds no interaction", "Check that the file was downloaded or exported in full."
            )
        dropped = {}
        nameless = pl.col(USER).is_null() | pl.col(ITEM).is_null()
        frame, dropped["rows without a user or an item"] = _drop(frame, nameless)
        if columns.rating_min is not None:
            refuse_texts(frame[_NO_RATING], samples, columns.rating, "a number")
            low = pl.col(RATING).is_null() | pl.col(RATING).is_nan() | (pl.col(RATING) < columns.rating_min)
            frame, dropped[f"rows rated below {columns.rating_min:g} or not rated"] = _drop(frame, low)
        frame = finish_times(frame, samples, columns.time)
        has_times = frame[TIME].null_count() < frame.height
        if has_times:
            frame, dropped["rows without a time"] = _drop(frame, pl.col(TIME).is_null())
        return Log(frame.select(USER, ITEM, TIME), has_times, False, dropped)


def _interactions(sample: Sample, columns: LogColumns) -> pl.LazyFrame:
    """The columns of one file under the stage's names; a value that is there but cannot be read is kept as text."""
    rated = columns.rating_min is not None
    wanted = [name for name in (columns.user, columns.item, columns.time, columns.rating if rated else None) if name]
    frame = scan(sample, list(dict.fromkeys(wanted)))
    types = frame.collect_schema()
    selected = [_id(columns.user, types).alias(USER), _id(str(columns.item), types).alias(ITEM)]
    selected += quick_time(columns.time, types[columns.time] if columns.time else None)
    if rated:
        text = pl.col(columns.rating).cast(pl.String, strict=False).str.strip_chars().replace("", None)
        rating = text.cast(pl.Float64, strict=False)
        selected += [rating.alias(RATING), pl.when(rating.is_null()).then(text).alias(_NO_RATING)]
    return frame.select(selected)


def _id(column: str, types: pl.Schema) -> pl.Expr:
    if types[column].is_nested():
        raise DataError(f"column {column!r} holds lists or structures, not ids", "Name another column.")
    return pl.col(column).cast(pl.String).replace("", None)


def _drop(frame: pl.DataFrame, condition: pl.Expr) -> tuple[pl.DataFrame, int]:
    kept = frame.filter(~condition)
    return kept, frame.height - kept.height


GENERIC = TableReader("table", "one interaction per row: CSV, TSV, JSON lines or Parquet")

AMAZON_REVIEWS = TableReader(
    "amazon-2023",
    "raw reviews of Amazon Reviews 2023 (JSON lines)",
    item_columns=("parent_asin",),
    needs=frozenset({"user_id", "parent_asin", "timestamp"}),
    kind="jsonl",
)
