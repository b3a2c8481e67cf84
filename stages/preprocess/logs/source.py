"""The files of the log, the format they have, and the columns that are read."""

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from stages.artifacts.errors import DataError, UsageError
from stages.frame.reporter import Reporter
from stages.preprocess.logs.log import Log, LogColumns, LogReader
from stages.preprocess.logs.readers import LOG_READERS
from stages.preprocess.logs.readers.table import TABLE
from stages.preprocess.options import PreprocessOptions
from stages.preprocess.sources.bad_rows import BadRows
from stages.preprocess.sources.finder import Finder
from stages.preprocess.sources.formats import choose_reader
from stages.preprocess.sources.likely import Likely, likely_columns
from stages.preprocess.sources.reading import reading_of_log
from stages.preprocess.sources.sample import Sample


@dataclass(frozen=True)
class LogSource:
    """Where the log is read from, with every choice made.

    Attributes:
        reader: of the format.
        samples: all files that belong to the log, in reading order.
        columns: the columns that are read.
        time_like: of a log whose times are not read, the column that looks like them.
    """

    reader: LogReader
    samples: list[Sample]
    columns: LogColumns
    time_like: str | None = None

    def recorded(self) -> dict[str, Any]:
        """What the lineage records: plain names of the files, the format, the columns."""
        rated = self.columns.rating_min is not None
        return {
            "inputs": [sample.path.name for sample in self.samples],
            "format": self.reader.name,
            "user_column": self.columns.user,
            "item_column": self.columns.item,
            "time_column": self.columns.time,
            "rating_column": self.columns.rating if rated else None,
            "rating_min": self.columns.rating_min,
        }

    def announce(self, reporter: Reporter) -> None:
        """Say which format was recognised."""
        reporter.info(f"{self.samples[0].path.name}: read as {self.reader.name} ({self.reader.summary})")

    def read(self, bad_rows: BadRows, reporter: Reporter) -> Log:
        """Read the log without the malformed lines that ``bad_rows`` allows.

        Raises:
            DataError: when a file is malformed.
        """
        return bad_rows.read(self.samples, lambda samples: self.reader.read(samples, self.columns, reporter))


def find_log(options: PreprocessOptions, finder: Finder) -> LogSource:
    """Find the files of the log, and choose its format and columns.

    Args:
        options: the files, and the format and columns that the user names.
        finder: finds the files.

    Raises:
        UsageError: when the files are not of the format that is named.
        DataError: when a file is missing or lacks a column, or files do not belong together.
    """
    samples = finder.samples(options.inputs, "log", reading_of_log(options))
    reader = choose_reader(LOG_READERS, samples, options.format, "--format")
    columns = LogColumns(
        options.user_column,
        options.item_column,
        options.time_column,
        options.rating_column,
        options.rating_min,
        options.time_format,
        options.where,
    )
    samples = reader.complete(samples)
    source = _resolved(reader, samples, columns, finder)
    if source.columns.time is not None or reader is not TABLE:
        return source
    return replace(source, time_like=_likely(source.samples[0], finder).time)


def _resolved(reader: LogReader, samples: list[Sample], columns: LogColumns, finder: Finder) -> LogSource:
    """The source with its columns, or an error that tells which columns look like the ones that are missing."""
    if any(sample.has_records for sample in samples):
        with suppress(DataError, UsageError):
            if (found := reader.resolve(samples, columns)).time is not None:
                return LogSource(reader, samples, found)
        # A column that the first records lack may come later.
        samples = [finder.with_all_keys(sample) for sample in samples]
    try:
        return LogSource(reader, samples, reader.resolve(samples, columns))
    except DataError as error:
        first = samples[0].columns
        flags = _likely(samples[0], finder).flags(
            user=columns.user not in first, item=columns.item not in first, time=columns.time not in first
        )
        if reader is not TABLE or not flags:
            raise
        raise DataError(error.message, f"It looks like {flags}; or else: {error.hint}") from error


def _likely(sample: Sample, finder: Finder) -> Likely:
    with suppress(DataError):  # a malformed file is told of by line, when it is read
        return likely_columns(finder.preparation.ready(sample))
    return Likely()
