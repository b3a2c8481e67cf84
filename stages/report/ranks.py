"""``ranks.parquet`` as the page needs it: where each target stood, and slices of the targets."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stages.artifacts.errors import DataError
from stages.artifacts.names import RANKS, Columns
from stages.artifacts.ranks import RANKS_SCHEMA
from stages.artifacts.tables import open_table, require_column
from stages.metrics.accuracy import Places, places, user_metrics
from stages.metrics.bootstrap import bootstrap_means, intervals
from stages.metrics.slices import POPULARITY_GROUPS, length_group, popularity_group
from stages.report.options import ReportOptions
from stages.report.source import Source
from stages.report.told import Told

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Ranks:
    """Where each target stood, by the protocol of the evaluation.

    Attributes:
        user_ids: (R,) user of each target.
        target: (R,) items to be found.
        rank: (R,) from 1; beyond the number of items for one that was not ranked.
        history_length: (R,) items in the history before the split.
        target_count: (R,) interactions of the target in training.
    """

    user_ids: pa.Array
    target: Integers
    rank: Integers
    history_length: Integers
    target_count: Integers

    @property
    def users(self) -> Integers:
        """(R,) a number for the user of each target, in the order in which they first occur."""
        return np.asarray(self.user_ids.dictionary_encode().indices.to_numpy(), np.int64)


@dataclass(frozen=True)
class Slice:
    """Metrics of some of the targets.

    Attributes:
        by: what the targets are sliced by.
        label: of the slice.
        targets: how many there are.
        metrics: by name, the mean over users and its 95 % interval.
    """

    by: str
    label: str
    targets: int
    metrics: dict[str, tuple[float, float, float]]


def read_ranks(source: Source) -> Ranks:
    """Read the ranks of the evaluation.

    Raises:
        DataError: when the table is damaged, breaks the contract or has no rows.
    """
    path = source.path(RANKS)
    numeric = (Columns.TARGET, Columns.RANK, Columns.HISTORY_LENGTH, Columns.TARGET_COUNT)
    with open_table(path) as file:
        for name in (Columns.USER_ID, *numeric):
            require_column(file.schema_arrow, name, str(RANKS_SCHEMA.field(name).type), path)
        table = file.read(columns=[Columns.USER_ID, *numeric])
    for name in table.column_names:
        if table[name].null_count:
            raise DataError(f"{path}: column {name!r} has nulls", "Run `cocorec evaluate --force`.")
    if not table.num_rows:
        raise DataError(f"{path} has no rows", "Run `cocorec evaluate --force`.")
    numbers = [table[name].to_numpy().astype(np.int64) for name in numeric]
    wrong = np.flatnonzero((numbers[0] < 1) | (numbers[0] > len(source.item_ids)) | (numbers[1] < 1))
    if wrong.size:
        row = int(wrong[0])
        raise DataError(
            f"{path}: row {row + 1}: target {numbers[0][row]}, of {len(source.item_ids)}, at rank {numbers[1][row]}",
            "Run `cocorec evaluate --force`.",
        )
    ids = pa.concat_arrays(table[Columns.USER_ID].cast(pa.string()).chunks)
    return Ranks(ids, *numbers)


def slices_of(ranks: Ranks, told: Told, options: ReportOptions) -> list[Slice]:
    """Slices by length of the history and by popularity of the target; those without targets are left out.

    Args:
        ranks: of the evaluation.
        told: what it reports: where each group of popularity begins.
        options: buckets, metrics, and the resamples of the intervals.
    """
    where = _places(ranks, told)
    group, labels = length_group(ranks.history_length, options.history_buckets)
    slices = [("history length", label, group == number) for number, label in enumerate(labels)]
    starts = [row.count("from_interactions") or 0 for row in told.rows("popularity_groups")]
    if len(starts) == len(POPULARITY_GROUPS):
        group = popularity_group(ranks.target_count, starts)
        slices += [("item popularity", label, group == number) for number, label in enumerate(POPULARITY_GROUPS)]
    return [
        Slice(by, label, int(chosen.sum()), _metrics(where.part(chosen), options.metrics, options))
        for by, label, chosen in slices
        if chosen.any()
    ]


def _places(ranks: Ranks, told: Told) -> Places:
    try:
        return places(ranks.rank, ranks.users, ranks.target, told.count("items"))
    except ValueError as error:
        raise DataError(
            f"{RANKS}: row {int(error.args[0]) + 1}: its rank is taken by other targets of the same user",
            "Run `cocorec evaluate --force`.",
        ) from error


def _metrics(where: Places, names: Sequence[str], options: ReportOptions) -> dict[str, tuple[float, float, float]]:
    values = user_metrics(where, names)
    low, high = intervals(bootstrap_means(values, samples=options.resamples, seed=options.seed))
    means = values.mean(axis=0)
    return {name: (float(means[i]), float(low[i]), float(high[i])) for i, name in enumerate(names)}
