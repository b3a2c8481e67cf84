"""A worker's part of reading: one file of a log, as blocks of rows by a hash of the user."""

import io
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from stages.preprocess.columns import TIME, USER
from stages.preprocess.logs.log import LogColumns, LogReader
from stages.preprocess.logs.times import Scale, read_times
from stages.preprocess.sources.bad_rows import BadRows
from stages.preprocess.sources.ids import one_spelling
from stages.preprocess.sources.preparation import Preparation
from stages.preprocess.sources.sample import Sample
from stages.preprocess.sources.scan import UnreadableError, explained, require_rows

_BATCH = 100_000
"""Rows that the engine hands over at a time."""

_SEED = 2
"""Of the hash of a user; the other seeds tell users of one partition apart."""


@dataclass(frozen=True)
class FileRead:
    """What is known of a file that was read, or of several.

    Attributes:
        rows: it has.
        kept: of them, before rows that are no interactions are dropped.
        dropped: how many are, by reason.
        scale: what its times need.
        timed: rows with a time.
    """

    rows: int = 0
    kept: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    scale: Scale = field(default_factory=Scale)
    timed: int = 0

    def merged(self, other: "FileRead") -> "FileRead":
        """Of both together."""
        return FileRead(
            self.rows + other.rows,
            self.kept + other.kept,
            added(self.dropped, other.dropped),
            self.scale.merged(other.scale),
            self.timed + other.timed,
        )


def added(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    """Counts by reason, those of both together, in the order in which reasons first occur."""
    return {reason: one.get(reason, 0) + other.get(reason, 0) for reason in {**one, **other}}


def packed(frame: pl.DataFrame) -> bytes:
    """A frame as bytes, which hold nothing but its own rows."""
    buffer = io.BytesIO()
    frame.write_ipc_stream(buffer, compression="lz4")
    return buffer.getvalue()


def unpacked(content: bytes) -> pl.DataFrame:
    """What :func:`packed` packed."""
    return pl.read_ipc_stream(io.BytesIO(content))


def read_blocks(
    reader: LogReader, number: int, samples: list[Sample], columns: LogColumns, partitions: int, rows: int
) -> Iterator[bytes | FileRead]:
    """Read one file of a log.

    Args:
        reader: of the format.
        number: of the file among those that hold rows.
        samples: all files of the log.
        columns: that are read.
        partitions: P, by a hash of the user.
        rows: held at a time.

    Yields:
        For every ``rows`` rows the packed block of each partition, P of them, rows in the order of the file and times
        not on one scale yet; at last what is known of the file.

    Raises:
        DataError: when the file is malformed.
    """
    # A machine's own disk takes the copies of files that the engine cannot read as they are.
    with tempfile.TemporaryDirectory(prefix="cocorec-") as folder:
        preparation = Preparation(Path(folder))
        bad_rows = BadRows(0, preparation)
        sample = reader.with_rows(samples)[number]
        found = FileRead()
        try:
            for block in _blocks(reader, number, samples, preparation.ready(sample), columns, rows, 0):
                found, parts = _taken(found, block, reader, samples, columns, partitions)
                yield from parts
        except UnreadableError as error:  # what the engine refuses and Python reads is copied as the engine wants it
            bad_rows.mend([sample], error)
            for block in _blocks(reader, number, samples, preparation.ready(sample), columns, rows, found.rows):
                found, parts = _taken(found, block, reader, samples, columns, partitions)
                yield from parts
        require_rows(found.rows, [preparation.ready(sample)])
        yield found


def _blocks(
    reader: LogReader,
    number: int,
    samples: list[Sample],
    ready: Sample,
    columns: LogColumns,
    rows: int,
    skipped: int,
) -> Iterator[tuple[int, pl.DataFrame]]:
    """Rows from ``skipped`` on: how many there were, and those that are kept."""
    own = [*samples]
    own[number] = ready
    found = reader.rows_of(number, own, columns)
    frame = found.frame.slice(skipped) if skipped else found.frame
    waiting: list[pl.DataFrame] = []
    count = 0
    with explained([ready]):
        for batch in frame.collect_batches(chunk_size=_BATCH, maintain_order=True, engine="streaming"):
            # Blocks end at whole numbers of rows, so that a worker that does it again makes the same ones.
            while count + batch.height >= rows:
                waiting.append(batch[: rows - count])
                batch = batch[rows - count :]
                yield _kept(waiting, found.kept)
                waiting, count = [], 0
            waiting.append(batch)
            count += batch.height
        if count:
            yield _kept(waiting, found.kept)


def _kept(waiting: list[pl.DataFrame], kept: object) -> tuple[int, pl.DataFrame]:
    frame = pl.concat(waiting)
    return frame.height, kept(frame) if callable(kept) else frame


def _taken(
    found: FileRead,
    block: tuple[int, pl.DataFrame],
    reader: LogReader,
    samples: list[Sample],
    columns: LogColumns,
    partitions: int,
) -> tuple[FileRead, Iterator[bytes]]:
    """What is known of the file with this block, and its rows by partition."""
    count, frame = block
    with_rows = reader.with_rows(samples)
    kept = frame.height
    frame, dropped = reader.clean(frame, with_rows, columns)
    frame = read_times(frame, with_rows, columns.time, columns.time_format)
    read = FileRead(count, kept, dropped, Scale.of(frame), frame[TIME].count())
    return found.merged(read), _by_user(frame, partitions)


def _by_user(frame: pl.DataFrame, partitions: int) -> Iterator[bytes]:
    # A hash of polars is the same everywhere for the same version, which all workers have.
    places = one_spelling(frame[USER]).hash(_SEED).to_numpy() % np.uint64(partitions)
    frame = frame[np.argsort(places, kind="stable")]
    ends = np.cumsum(np.bincount(places.astype(np.int64), minlength=partitions))
    start = 0
    for end in ends.tolist():
        yield packed(frame[start:end])
        start = end
