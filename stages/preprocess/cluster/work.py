"""The driver's part: what is done with a log on a cluster, in the order of the steps.

Ray tasks, not Ray Data: see :mod:`stages.frame.cluster`. Interactions are divided once, by a hash of the user, and stay
where they are; what goes to the driver are counts of items and the ids of items, never all users.
"""

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from stages.artifacts.errors import UsageError
from stages.artifacts.lineage import Lineage
from stages.artifacts.tables import table_writer
from stages.frame.cluster import Cluster
from stages.frame.run import StageRun
from stages.preprocess.cluster.blocks import FileRead, read_blocks
from stages.preprocess.cluster.finish import SCHEMAS, finish, merge
from stages.preprocess.cluster.partition import Gathered, Grouping, Sparse, gather, group, judge, merged_dropped
from stages.preprocess.cluster.plan import bounds_of, partitions_of, ranges_of, rows_at_once
from stages.preprocess.cluster.temporal import divide
from stages.preprocess.cluster.whole_log import read_clock_of
from stages.preprocess.histories.counts import SequenceCounts
from stages.preprocess.histories.file import ROW_GROUP
from stages.preprocess.histories.filters import check_repeats, chosen_k
from stages.preprocess.histories.interactions import no_core, nothing_left, outside_core
from stages.preprocess.histories.numbering import numbers_in
from stages.preprocess.histories.order import mostly
from stages.preprocess.histories.split import PUBLISHED
from stages.preprocess.logs.clock import Clock
from stages.preprocess.logs.log import Notes, tell
from stages.preprocess.logs.source import LogSource
from stages.preprocess.options import AUTO, LEAVE_ONE_OUT, TEMPORAL, PreprocessOptions
from stages.preprocess.sources.sample import file_names
from stages.preprocess.work import Found

_PACKAGES = ("numpy", "polars", "pyarrow")
_WAITING = 1_000_000
Reference = Any
Pair = tuple[Reference, Reference]
"""The rows of a partition, and what else belongs to them."""

Counts = npt.NDArray[np.int64]


def refuse(options: PreprocessOptions) -> None:
    """Refuse what a cluster cannot do, before anything is read.

    Raises:
        UsageError: naming the option.
    """
    refused = {
        "--sample-users": options.sample_users is not None,
        "--cold-items": options.cold_items is not None,
        "--max-bad-rows": options.max_bad_rows > 0,
    }
    for option, given in refused.items():
        if given:
            raise UsageError(
                f"{option} cannot be used with --engine ray", "Leave it out, or leave out --engine to compute here."
            )


class ClusterWork:
    """A log in the memory of a cluster; see :class:`stages.preprocess.work.Work`.

    Args:
        options: filters and split.
        source: the log.
        cluster: that does the work.
        run: of the stage.

    Raises:
        UsageError: when an option does not fit the data.
        DataError: when a worker does not see the files, a file is malformed, or nothing is left of it.
    """

    def __init__(self, options: PreprocessOptions, source: LogSource, cluster: Cluster, run: StageRun) -> None:
        # Workers have working directories of their own.
        absolute = [replace(sample, path=sample.path.absolute()) for sample in source.samples]
        source = replace(source, samples=absolute)
        self._options, self._source, self._cluster, self._run = options, source, cluster, run
        self._published = source.reader.published_split
        self._whole: list[Pair] = []
        self._learnt: list[Pair] = []
        cluster.check_workers([sample.path for sample in source.samples], _PACKAGES)
        with run.measure("read_log"):
            read, blocks = self._read()
            logs, gathered = self._gather(read, blocks)
            del blocks
        with run.measure("filter"):
            clock = read_clock_of(cluster, logs, gathered, read.scale.of_numbers)
            k = chosen_k(options, self._published)
            check_repeats(options, self._kept_split)
            grouping, counts = self._group(logs, any(known.timed for known in gathered), clock)
            del logs
            dropped = self._dropped(read, gathered, grouping)
            rows = sum(known.rows for known in grouping)
            if not rows:
                raise nothing_left(dropped)
            before = {"users": sum(known.users for known in grouping), "items": int((counts > 0).sum())}
            self._masks: list[Reference | None] = [None] * len(grouping)
            rounds = self._k_core(counts, k) if k > 1 else 0
            if k > 1:
                left = int(counts.sum())
                if not left:
                    raise no_core(k, rows, before["users"], before["items"])
                dropped[outside_core(k)] = rows - left
            outside = {"users": 0, "items": before["items"] - int((counts > 0).sum())}  # users are counted at the end
            split: dict[str, Any] = {"split": PUBLISHED if self._kept_split else LEAVE_ONE_OUT}
            if options.split == TEMPORAL:
                self._learnt, self._masks, split, others, left_items = divide(
                    cluster, options, clock, self._learnt, self._masks
                )
                dropped = merged_dropped([dropped, others])
                counts = _counted(left_items, len(self._items))
        self._before, self._sampled = before, [name for known in grouping for name in known.sampled]
        ties = sum(known.ties for known in grouping)
        backwards = [sum(known.backwards[place] for known in grouping) for place in (0, 1)]
        self.found = Found(
            read.rows,
            _doubtful(gathered),
            clock,
            k,
            split,
            pl.Series(self._items.filter(pa.array(counts > 0))),
            dropped,
            rounds,
            ties,
            bool(ties) and mostly(*backwards),
            outside,
        )

    @property
    def _kept_split(self) -> bool:
        """The log came with a split, which is kept."""
        return self._published and self._options.split == AUTO

    def _read(self) -> tuple[FileRead, list[list[Reference]]]:
        """All files, each by one task; and references to the blocks of each partition, in the order of the rows."""
        source, ray = self._source, self._cluster
        files = source.reader.with_rows(source.samples)
        partitions = partitions_of(files)
        task = ray.task(read_blocks, num_returns="streaming")
        shared = ray.put(source.samples)
        arguments = (source.columns, partitions, rows_at_once(partitions))
        generators = [task.remote(source.reader, number, shared, *arguments) for number in range(len(files))]
        blocks: list[list[Reference]] = [[] for _ in files]
        with self._run.reporter.track(f"reading {file_names(files)}", unit="blocks") as advance:
            for place, reference in ray.generated(generators):
                blocks[place].append(reference)
                advance(1)
            # The last one tells of the file: one more than whole rounds of the partitions.
            told: list[FileRead] = [ray.get(of_file.pop()) for of_file in blocks]
        read = told[0]
        for other in told[1:]:
            read = read.merged(other)
        source.reader.require_interactions(read.rows, read.kept, source.samples, source.columns)
        return read, [
            [block for of_file in blocks for block in of_file[part::partitions]] for part in range(partitions)
        ]

    def _gather(self, read: FileRead, blocks: list[list[Reference]]) -> tuple[list[Reference], list[Gathered]]:
        source, task = self._source, self._cluster.task(gather, num_returns=3)
        arguments = (source.reader, source.samples, source.columns, read.scale, read.timed > 0)
        made = [task.remote(*arguments, of_partition) for of_partition in blocks]
        with self._run.reporter.track("dividing users", len(made), "partitions") as advance:
            gathered, ids = [], _Distinct()
            for _, items, known in made:
                gathered.append(self._cluster.get(known))
                ids.add(self._cluster.get(items))
                advance(1)
        self._items = ids.ordered()
        notes: Notes = merged_dropped([known.notes for known in gathered])
        tell(notes, self._run.reporter)
        return [log for log, *_ in made], gathered

    def _group(self, logs: Sequence[Reference], has_times: bool, clock: Clock) -> tuple[list[Grouping], Counts]:
        task = self._cluster.task(group, num_returns=6)
        catalogue = self._cluster.put(self._items)
        made = [task.remote(self._options, log, self._published, has_times, clock, catalogue) for log in logs]
        self._whole = [(rows, rest) for rows, rest, *_ in made]
        grouping: list[Grouping] = list(self._cluster.each([known for *_, known in made]))
        # Where nothing but time and repeats were looked at, what is filtered are all rows.
        same = self._options.since is None and self._options.repeats == "all"
        self._learnt = self._whole if same else [(rows, rest) for _, _, rows, rest, *_ in made]
        return grouping, _counted(self._cluster.each([counts for *_, counts, _ in made]), len(self._items))

    def _dropped(self, read: FileRead, gathered: list[Gathered], grouping: list[Grouping]) -> dict[str, int]:
        where = self._source.columns.where
        others = {} if where is None else {f"rows outside --where {where}": read.rows - read.kept}
        of_partitions = [merged_dropped([known.dropped for known in every]) for every in (gathered, grouping)]
        return merged_dropped([others, read.dropped, *of_partitions])

    def _k_core(self, counts: Counts, k: int) -> int:
        """Filter until nothing changes; ``counts`` of the items are brought up to date. How many rounds it took."""
        task, rounds = self._cluster.task(judge, num_returns=3), 0
        while True:
            enough = self._cluster.put(counts >= k)
            made = [
                task.remote(rows, mask, enough, k) for (rows, _), mask in zip(self._learnt, self._masks, strict=True)
            ]
            gone = list(self._cluster.each([number for _, number, _ in made]))
            if not any(gone):
                return rounds
            for places, less in self._cluster.each([of_items for _, _, of_items in made]):
                counts[places] -= less
            self._masks = [mask for mask, _, _ in made]
            rounds += 1

    def histories(self, item_ids: pl.Series) -> "ClusterHistories":
        """See :class:`stages.preprocess.work.Work`."""
        numbers = self._cluster.put(numbers_in(item_ids, pl.Series(self._items)))
        bounds = bounds_of(self._sampled, ranges_of(self._before["users"], ROW_GROUP))
        task = self._cluster.task(finish, num_returns=1 + 2 * (len(bounds) + 1))
        made = []
        for whole, learnt, mask in zip(self._whole, self._learnt, self._masks, strict=True):
            made.append(task.remote(*whole, *learnt, mask, numbers, item_ids.len(), bounds))
        self._whole, self._learnt, self._masks = [], [], []
        counts: SequenceCounts | None = None
        whole_facts: dict[str, int] = {}
        for of_partition, facts in self._cluster.each([known for known, *_ in made]):
            counts = of_partition if counts is None else counts.merged(of_partition)
            whole_facts = merged_dropped([whole_facts, facts])
        assert counts is not None
        self.found.outside_core["users"] = self._before["users"] - counts.users
        return ClusterHistories(self._cluster, counts, whole_facts, [tables for _, *tables in made], len(bounds) + 1)


class ClusterHistories:
    """Histories in the memory of a cluster, a table for each partition and range of users.

    Args:
        cluster: that holds them.
        counts, whole_facts: see :class:`stages.preprocess.work.Histories`.
        tables: references by partition, first those of the sequences by range, then those of the whole histories.
        ranges: of users, R.
    """

    def __init__(
        self,
        cluster: Cluster,
        counts: SequenceCounts,
        whole_facts: dict[str, int],
        tables: list[list[Reference]],
        ranges: int,
    ) -> None:
        self.counts, self.whole_facts = counts, whole_facts
        self._cluster, self._tables, self._ranges = cluster, tables, ranges

    def write_sequences(self, path: Path, lineage: Lineage) -> None:
        """Write ``sequences.parquet``."""
        self._write(path, lineage, 0)

    def write_histories(self, path: Path, lineage: Lineage) -> None:
        """Write ``histories.parquet``."""
        self._write(path, lineage, 1)

    def _write(self, path: Path, lineage: Lineage, kind: int) -> None:
        """One file, by the driver, range after range; so that everybody reads it as before.

        Folders of parts would spare the way through the driver, and a new form of every file in digests, fingerprints
        and lineage, and in all programs that read the contract.
        """
        with table_writer(path, SCHEMAS[kind]) as writer, closing(self._merged(kind)) as merged:
            for table in _regrouped(merged, ROW_GROUP):
                writer.write(table)
            writer.set_lineage(lineage)

    def _merged(self, kind: int) -> Generator[pa.Table, None, None]:
        """The ranges of users in order; a few are merged ahead."""
        task, ahead = self._cluster.task(merge), self._cluster.processors + 1
        waiting: list[Reference] = []
        for place in range(self._ranges):
            waiting.append(task.remote(*(tables[kind * self._ranges + place] for tables in self._tables)))
            if len(waiting) == ahead:
                yield self._cluster.get(waiting.pop(0))
        while waiting:
            yield self._cluster.get(waiting.pop(0))


def _regrouped(tables: Iterator[pa.Table], rows: int) -> Iterator[pa.Table]:
    """The same rows in tables of ``rows`` each, the last one smaller."""
    left: list[pa.Table] = []
    count = 0
    for table in tables:
        left.append(table)
        count += table.num_rows
        if count >= rows:
            joined = pa.concat_tables(left)
            for start in range(0, count - count % rows, rows):
                yield joined.slice(start, rows).combine_chunks()
            left, count = [joined.slice(count - count % rows)], count % rows
    if count:
        yield pa.concat_tables(left).combine_chunks()


class _Distinct:
    """Distinct ids out of many arrays, in memory for few more than there are."""

    def __init__(self) -> None:
        self._found = pl.Series([], dtype=pl.String)
        self._waiting: list[pl.Series] = []

    def add(self, ids: pa.Array) -> None:
        """Take in ids."""
        self._waiting.append(pl.Series(ids))
        if sum(map(len, self._waiting)) > max(_WAITING, len(self._found)):
            self._join()

    def ordered(self) -> pa.Array:
        """All of them, string, in byte order."""
        self._join()
        return self._found.sort().to_arrow().cast(pa.large_string())

    def _join(self) -> None:
        self._found, self._waiting = pl.concat([self._found, *self._waiting]).unique(), []


def _counted(every: Iterable[Sparse], items: int) -> Counts:
    counts = np.zeros(items, np.int64)
    for places, more in every:
        counts[places] += more
    return counts


def _doubtful(gathered: list[Gathered]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for known in gathered:
        for kind, words in known.doubtful.items():
            found[kind] = merged_dropped([found.get(kind, {}), words])
    # As counted in one place: the most frequent first.
    return {
        kind: dict(sorted(words.items(), key=lambda each: -each[1]))
        for kind, words in sorted(found.items(), reverse=True)
    }
