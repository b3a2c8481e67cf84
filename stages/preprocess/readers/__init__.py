"""The formats of interaction logs that are known, and how a file's format is recognised."""

from stages.artifacts.errors import DataError, UsageError
from stages.preprocess.log import LogReader
from stages.preprocess.readers.benchmark import BENCHMARK, RECBOLE_BENCHMARK
from stages.preprocess.readers.known import (
    AMAZON_2014,
    AMAZON_2018,
    AMAZON_2023,
    AMAZON_2023_RATINGS,
    GENERIC,
    MOVIELENS,
    RECBOLE,
)
from stages.preprocess.sample import Sample

AUTO = "auto"

LOG_READERS: tuple[LogReader, ...] = (
    BENCHMARK,
    AMAZON_2023,
    AMAZON_2023_RATINGS,
    AMAZON_2018,
    AMAZON_2014,
    MOVIELENS,
    RECBOLE_BENCHMARK,
    RECBOLE,
    GENERIC,
)
"""In the order in which they are tried: the most particular first, the one that takes any table last."""


def choose_log_reader(samples: list[Sample], format: str) -> LogReader:
    """The reader of the given format, or with ``auto`` the first that recognises the files.

    Raises:
        UsageError: when there is no such format.
        DataError: when the files are of different formats.
    """
    if format != AUTO:
        for reader in LOG_READERS:
            if reader.name == format:
                return reader
        raise UsageError(
            f"there is no log format {format!r}", f"Choose from {AUTO}, {', '.join(r.name for r in LOG_READERS)}."
        )
    chosen = [next(reader for reader in LOG_READERS if reader.recognises(sample)) for sample in samples]
    if len({reader.name for reader in chosen}) > 1:
        found = ", ".join(f"{s.path.name}: {r.name}" for s, r in zip(samples, chosen, strict=True))
        raise DataError(f"the inputs are of different formats ({found})", "Give files of one format at a time.")
    return chosen[0]
