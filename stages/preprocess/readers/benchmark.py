"""The benchmark files of Amazon Reviews 2023: NAME.train.csv, NAME.valid.csv and NAME.test.csv, gzip or plain.

``last_out_w_his`` and ``timestamp_w_his`` have a column ``history``: the user's earlier items, oldest first, separated
by blanks; see ``histories``. ``last_out`` and ``timestamp`` have no such column; there the order of the times is the
order of events. The published split is kept in all cases.
"""

import re
from dataclasses import replace
from pathlib import Path

import polars as pl

from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.reporter import Reporter
from stages.preprocess.columns import ITEM, PART, ROW, TIME, USER
from stages.preprocess.log import Log, LogColumns
from stages.preprocess.readers.histories import HISTORY, rebuild
from stages.preprocess.sample import Sample, take_sample
from stages.preprocess.scan import collect, scan
from stages.preprocess.times import finish_times, quick_time

_NAME = re.compile(r"(?P<stem>.+)\.(?P<part>train|valid|test)\.csv(?P<gz>\.gz)?$")
_PARTS = ("train", "valid", "test")


class BenchmarkReader:
    """Reads a published training, validation and test file as one log."""

    name = "amazon-2023-benchmark"
    summary = "benchmark files of Amazon Reviews 2023: NAME.train.csv, NAME.valid.csv, NAME.test.csv"

    def recognises(self, sample: Sample) -> bool:
        """Whether name and columns are those of a benchmark file."""
        named = _NAME.match(sample.path.name) is not None
        return named and sample.kind == "csv" and {"user_id", "parent_asin"} <= set(sample.columns)

    def complete(self, samples: list[Sample]) -> list[Sample]:
        """The training, validation and test file that the given one belongs to.

        Raises:
            UsageError: when the files given do not belong together or are not named so.
            DataError: when a file beside them is missing.
        """
        stems = set()
        for sample in samples:
            match = _NAME.match(sample.path.name)
            if match is None:
                raise UsageError(
                    f"{sample.path} is not named like NAME.train.csv or NAME.train.csv.gz",
                    "Name the files so, with NAME.valid and NAME.test beside, or choose another --format.",
                )
            stems.add((sample.path.parent, match["stem"], match["gz"] or ""))
        if len({stem[:2] for stem in stems}) > 1:
            raise UsageError(
                f"{', '.join(str(sample.path) for sample in samples)} belong to different splits",
                "Give one NAME.train.csv; the validation and test files beside it are found.",
            )
        folder, stem, gz = min(stems)
        given = {sample.path: sample for sample in samples}
        paths = [_sibling(folder, f"{stem}.{part}.csv", gz, given) for part in _PARTS]
        return [given[path] if path in given else take_sample(path) for path in paths]

    def resolve(self, samples: list[Sample], columns: LogColumns) -> LogColumns:
        """Name the columns that will be read.

        Raises:
            UsageError: when rows are to be filtered by rating, which would break histories.
            DataError: when a file lacks a column.
        """
        if columns.rating_min is not None:
            raise UsageError(
                "--rating-min cannot be used with a published split, whose histories carry no ratings",
                "Start from the raw reviews or the `rating_only` file instead.",
            )
        item, time = columns.item or "parent_asin", columns.time or "timestamp"
        for sample in samples:
            sample.require(columns.user, "--user-column")
            sample.require(item, "--item-column")
            if columns.time is not None or HISTORY not in samples[0].columns:
                sample.require(time, "--time-column")
            if HISTORY in samples[0].columns:
                sample.require(HISTORY, "--format table")
        return replace(columns, item=item, time=time if time in samples[0].columns else None)

    def read(self, samples: list[Sample], columns: LogColumns, reporter: Reporter) -> Log:
        """Read the three files and put each user's sequence together.

        Raises:
            DataError: when a file is malformed or the histories contradict each other.
        """
        frames = [_rows(sample, columns, part) for part, sample in enumerate(samples)]
        with reporter.track(f"reading {', '.join(sample.path.name for sample in samples)}", unit="rows") as advance:
            rows = collect(pl.concat(frames).with_row_index(ROW), samples)
            advance(rows.height)
        if not rows.height:
            raise DataError(f"{samples[0].path} holds no interaction", "Download the file again.")
        rows = finish_times(rows, samples, columns.time)
        named = rows.filter(pl.col(USER).is_not_null() & pl.col(ITEM).is_not_null())
        dropped = {"rows without a user or an item": rows.height - named.height}
        if HISTORY in samples[0].columns:
            items, cut = rebuild(named, [sample.path for sample in samples])
            if cut:
                reporter.info(
                    f"the histories of {cut:,} users are cut in the files; their rows overlap and were joined"
                )
            return Log(items, bool(items[TIME].count()), True, dropped)
        timed = named.filter(pl.col(TIME).is_not_null())
        dropped["rows without a time"] = named.height - timed.height
        return Log(timed.sort(USER, PART, TIME, ROW).select(USER, ITEM, TIME, PART), True, True, dropped)


def _sibling(folder: Path, name: str, gz: str, given: dict[Path, Sample]) -> Path:
    """The file of this name: the given one, else compressed like the given ones, else the other way."""
    choices = [folder / (name + suffix) for suffix in (gz, "" if gz else ".gz")]
    for path in [path for path in choices if path in given] + choices:
        if path.exists():
            return path
    raise DataError(
        f"{choices[0]} does not exist: a published split needs its training, validation and test file",
        "Put the missing file beside the others, or read one file alone with --format table.",
    )


def _rows(sample: Sample, columns: LogColumns, part: int) -> pl.LazyFrame:
    optional = [name for name in (columns.time, HISTORY) if name and name in sample.columns]
    frame = scan(sample, list(dict.fromkeys([columns.user, str(columns.item), *optional])))
    types = frame.collect_schema()
    history = pl.col(HISTORY).str.strip_chars() if HISTORY in optional else pl.lit(None, pl.String)
    return frame.select(
        pl.col(columns.user).alias(USER),
        pl.col(str(columns.item)).alias(ITEM),
        *(quick_time(columns.time, types[columns.time]) if columns.time in optional else quick_time(None, None)),
        history.replace(None, "").alias(HISTORY),
        pl.lit(part, pl.Int8).alias(PART),
    )


BENCHMARK = BenchmarkReader()
