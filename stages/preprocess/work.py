"""What is done with a log, whatever does it: this process or the workers of a cluster."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from stages.artifacts.lineage import Lineage
from stages.frame.run import StageRun
from stages.preprocess.histories.counts import SequenceCounts
from stages.preprocess.histories.file import write_histories, write_sequences
from stages.preprocess.histories.filters import chosen_k, filtered
from stages.preprocess.histories.interactions import Interactions, with_catalogue
from stages.preprocess.histories.split import Split, divided, with_split_of
from stages.preprocess.histories.whole import WholeHistories, WholeLog
from stages.preprocess.logs.clock import Clock, read_clock
from stages.preprocess.logs.source import LogSource
from stages.preprocess.options import PreprocessOptions
from stages.preprocess.sources.bad_rows import BadRows


@dataclass(frozen=True)
class Found:
    """What is known of a log after filters and split.

    Attributes:
        rows: read from the files.
        doubtful: see :class:`stages.preprocess.logs.log.Log`.
        clock: the unit of its times.
        k: of the k-core filter.
        split: what is to be recorded of the split.
        item_ids: string, of the items that are left, in byte order.
        dropped, rounds, ties, newest_first, outside_core: see
            :class:`stages.preprocess.histories.interactions.Interactions`.
    """

    rows: int
    doubtful: dict[str, dict[str, int]]
    clock: Clock
    k: int
    split: dict[str, Any]
    item_ids: pl.Series
    dropped: dict[str, int]
    rounds: int
    ties: int
    newest_first: bool
    outside_core: dict[str, int]


class Histories(Protocol):
    """Histories by the item numbers of a catalogue.

    Attributes:
        counts: of the histories that are learnt from.
        whole_facts: counts of the whole histories, as JSON values.
    """

    counts: SequenceCounts
    whole_facts: dict[str, int]

    def write_sequences(self, path: Path, lineage: Lineage) -> None:
        """Write ``sequences.parquet``."""
        ...

    def write_histories(self, path: Path, lineage: Lineage) -> None:
        """Write ``histories.parquet``."""
        ...


class Work(Protocol):
    """A log that was read, filtered and split.

    Attributes:
        found: what is known of it.
    """

    found: Found

    def histories(self, item_ids: pl.Series) -> Histories:
        """The histories by the numbers of a catalogue of distinct ids (N,), which holds all items that are left.

        What was read is given up for it.
        """
        ...


class LocalWork:
    """All of a log in the memory of this process.

    Args:
        options: filters and split.
        source: the log.
        bad_rows: which malformed lines are allowed.
        run: of the stage.

    Raises:
        UsageError: when an option does not fit the data.
        DataError: when a file is malformed, or nothing is left of it.
    """

    def __init__(self, options: PreprocessOptions, source: LogSource, bad_rows: BadRows, run: StageRun) -> None:
        with run.measure("read_log"):
            log = source.read(bad_rows, run.reporter)
        with run.measure("filter"):
            rows, doubtful = log.rows, log.doubtful
            clock, k = read_clock(log.frame, log.scale), chosen_k(options, log.published_split)
            log = with_split_of(options, log)
            interactions, whole = filtered(options, log, k, clock)
            del log
            interactions, split, split_facts = divided(options, interactions, clock)
        self._held: list[tuple[Interactions, Split, WholeLog]] = [(interactions, split, whole)]
        self.found = Found(
            rows,
            doubtful,
            clock,
            k,
            dict(split_facts),
            interactions.item_ids,
            interactions.dropped,
            interactions.rounds,
            interactions.ties,
            interactions.newest_first,
            interactions.outside_core,
        )

    def histories(self, item_ids: pl.Series) -> "LocalHistories":
        """See :class:`Work`."""
        interactions, split, whole = self._held.pop()
        interactions = with_catalogue(interactions, item_ids)
        return LocalHistories(interactions, split, whole.histories(item_ids))


class LocalHistories:
    """Histories in the memory of this process.

    Args:
        interactions: that are learnt from.
        split: their parts.
        whole: of all users.
    """

    def __init__(self, interactions: Interactions, split: Split, whole: WholeHistories) -> None:
        self.counts = SequenceCounts.of(interactions, split, interactions.item_ids.len())
        self.whole_facts = whole.facts
        self._interactions, self._split, self._whole = interactions, split, whole

    def write_sequences(self, path: Path, lineage: Lineage) -> None:
        """Write ``sequences.parquet``."""
        write_sequences(path, self._interactions, self._split, lineage)

    def write_histories(self, path: Path, lineage: Lineage) -> None:
        """Write ``histories.parquet``."""
        write_histories(path, self._whole, lineage)
