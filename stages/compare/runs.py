"""Evaluated runs: where their ranks lie, what they are called, and whether they may be compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stages.artifacts.atomic import require_file
from stages.artifacts.digest import check_digest
from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.fingerprints import Fingerprints
from stages.artifacts.lineage import Lineage, read_lineage, require_consistent
from stages.artifacts.names import METRICS, RANKS, SEQUENCES, Columns
from stages.artifacts.tables import open_table, require_column
from stages.metrics.accuracy import Places, places
from stages.metrics.slices import POPULARITY_GROUPS

Integers = npt.NDArray[np.int64]

_ALIKE = "Compare runs that were evaluated alike on the same sequences.parquet."


@dataclass(frozen=True)
class Run:
    """An evaluated run.

    Attributes:
        name: what it is called.
        path: its ``ranks.parquet``.
        user_ids: (R,) user of each target.
        target: (R,) items to be found.
        rank: (R,) their ranks, from 1.
        ties: (R,) other items that score as the target does; ``None`` in a file that does not tell.
        other_rank: (R,) ranks by the other protocol, history excluded or all items ranked; ``None`` likewise.
        other_ties: (R,) ties by the other protocol; ``None`` likewise.
        history_length: (R,) items in the history before the split; ``None`` in a file of another tool.
        target_count: (R,) interactions of the target in training; ``None`` in a file of another tool.
        lineage: where it comes from; ``None`` for a file of another tool.
        switched: its ``rank`` is of the other protocol than its evaluation names.
    """

    name: str
    path: Path
    user_ids: pa.Array
    target: Integers
    rank: Integers
    ties: Integers | None
    other_rank: Integers | None
    other_ties: Integers | None
    history_length: Integers | None
    target_count: Integers | None
    lineage: Lineage | None
    switched: bool = False

    @property
    def users(self) -> Integers:
        """(R,) a number for the user of each target, in the order in which they first occur."""
        return np.asarray(self.user_ids.dictionary_encode().indices.to_numpy(), np.int64)

    @property
    def places(self) -> Places:
        """Where the targets stand in their users' lists."""
        items = self.facts.get("items")
        return places(self.rank, self.users, self.target, items if isinstance(items, int) else None)

    @property
    def exclude_seen(self) -> bool | None:
        """Whether its evaluation left out the history; ``None`` for a file of another tool."""
        return None if self.lineage is None else bool(self.lineage.options.get("exclude_seen"))

    def __post_init__(self) -> None:
        """Refuse facts that no evaluation tells.

        Raises:
            DataError: naming the file.
        """
        if not (_are_measures(self.facts) and _are_groups(self.facts)):
            raise DataError(f"{self.path} tells of itself what no evaluation tells", "Run `cocorec evaluate --force`.")

    @property
    def facts(self) -> dict[str, Any]:
        """What its evaluation reported."""
        return dict(self.lineage.facts) if self.lineage else {}

    @property
    def protocol(self) -> dict[str, Any]:
        """What must be equal for a comparison to be fair, by the words for it."""
        if self.lineage is None:
            return {}
        options = self.lineage.options
        return {
            "split": options.get("split"),
            "data (sequences.parquet)": self.lineage.inputs.get(SEQUENCES),
            "number of items": self.facts.get("items"),
        }


def _are_measures(facts: Mapping[str, Any]) -> bool:
    """Whether the measures beyond accuracy, if told, are numbers by name."""
    told = facts.get("beyond_accuracy", {})
    return isinstance(told, dict) and all(isinstance(value, int | float | None) for value in told.values())


def _are_groups(facts: Mapping[str, Any]) -> bool:
    """Whether the groups of popularity, if told, are those of this version, each with where it begins."""
    told = facts.get("popularity_groups", [{"from_interactions": 0}] * len(POPULARITY_GROUPS))
    if not isinstance(told, list) or len(told) != len(POPULARITY_GROUPS):
        return False
    starts = [row.get("from_interactions") if isinstance(row, dict) else None for row in told]
    return all(isinstance(start, int) and 0 <= start < 1 << 63 for start in starts)


def locate(texts: Sequence[str]) -> dict[str, Path]:
    """Names and paths of runs given as ``PATH`` or ``NAME=PATH``.

    A work directory is called like its folder, a file like itself, or, where its name is that of the contract, like
    its folder.

    Raises:
        UsageError: for a path that does not exist or a name that occurs twice.
    """
    found: dict[str, Path] = {}
    for text in texts:
        name, separator, rest = text.partition("=")
        if Path(text).exists() or not separator:
            name, path = "", Path(text)
        else:
            path = Path(rest)
        if not path.exists():
            raise UsageError(f"{text!r}: {path} does not exist", "A run is a work directory, or NAME=PATH.")
        of_the_folder = path.is_dir() or path.name in (RANKS, METRICS)
        folder = path if path.is_dir() else path.parent
        name = name.strip() or (folder.resolve().name if of_the_folder else path.stem)
        if name in found:
            raise UsageError(f"two runs are called {name!r}: {found[name]} and {path}", "Name them, NAME=PATH.")
        found[name] = path
    return found


def read_run(name: str, path: Path) -> Run:
    """Read the ranks of a run.

    Args:
        name: what it is called.
        path: a work directory, its ``metrics.json``, or a table of ranks wherever it lies. A work directory is only
            read, and refused when its model or data have changed since the evaluation.

    Raises:
        DataError: when the table is missing, damaged or breaks the contract, or does not belong to its neighbours.
    """
    if path.is_dir():
        require_consistent(path, (RANKS,), Fingerprints(path, keep=False))
        path = path / RANKS
    elif path.name == METRICS:
        metrics, path = path, path.with_name(RANKS)
        if read_lineage(metrics) != read_lineage(path):
            raise DataError(f"{metrics} and {path} are of different evaluations", "Run `cocorec evaluate` again.")
    needed = {Columns.USER_ID: "string", Columns.TARGET: "int32", Columns.RANK: "int32"}
    require_file(path)
    check_digest(path)
    optional = {Columns.HISTORY_LENGTH: "int32", Columns.TARGET_COUNT: "int32"}
    optional = dict.fromkeys(
        (Columns.TIES, Columns.OTHER_RANK, Columns.OTHER_TIES, Columns.HISTORY_LENGTH, Columns.TARGET_COUNT), "int32"
    )
    with open_table(path) as file:
        schema = file.schema_arrow
        columns = {**needed, **{column: kind for column, kind in optional.items() if column in schema.names}}
        for column, kind in columns.items():
            require_column(schema, column, kind, path)
        table = file.read(columns=list(columns))
    for column in columns:
        if table[column].null_count:
            raise DataError(f"{path}: column {column!r} has nulls", "The README documents the columns of every file.")
    numbers = {column: table[column].to_numpy().astype(np.int64) for column in list(columns)[1:]}
    for column in (Columns.RANK, Columns.OTHER_RANK):
        wrong = np.flatnonzero(numbers[column] < 1) if column in numbers else np.zeros(0)
        if wrong.size:
            raise DataError(
                f"{path}: column {column!r}, row {wrong[0] + 1}: rank {numbers[column][wrong[0]]}",
                "Ranks count from 1.",
            )
    if not table.num_rows:
        raise DataError(f"{path} has no rows", "Run `cocorec evaluate`.")
    run = Run(
        name,
        path,
        pa.concat_arrays(table[Columns.USER_ID].cast(pa.string()).chunks),
        numbers[Columns.TARGET],
        numbers[Columns.RANK],
        numbers.get(Columns.TIES),
        numbers.get(Columns.OTHER_RANK),
        numbers.get(Columns.OTHER_TIES),
        numbers.get(Columns.HISTORY_LENGTH),
        numbers.get(Columns.TARGET_COUNT),
        read_lineage(path),
    )
    _check_places(run)
    return run


def _check_places(run: Run) -> None:
    try:
        _ = run.places
    except ValueError as error:
        row = int(error.args[0])
        raise DataError(
            f"{run.path}: column {Columns.RANK!r}, row {row + 1}: rank {run.rank[row]} is taken by other targets of "
            f"user {run.user_ids[row].as_py()!r}",
            "A rank counts all items that score as high as the target, the user's other targets among them.",
        ) from error


def by_protocol(run: Run, exclude_seen: bool | None) -> Run:
    """The run with the ranks of a protocol.

    Args:
        run: as read.
        exclude_seen: whether the items of the history are left out; ``None`` for the ranks as they are.

    Raises:
        DataError: when the run was evaluated by the other protocol, and its file tells the ranks of that one alone.
    """
    if run.exclude_seen is None or exclude_seen is None or run.exclude_seen == exclude_seen:
        return run
    if run.other_rank is None:
        raise DataError(
            f"{run.path} has no ranks {'without' if exclude_seen else 'with'} the items of the history "
            f"(column {Columns.OTHER_RANK!r})",
            f"Run `cocorec evaluate` again{' with --exclude-seen' if exclude_seen else ''}.",
        )
    switched = replace(run, rank=run.other_rank, ties=run.other_ties, switched=True)
    _check_places(switched)
    return switched


def require_same_protocol(runs: Sequence[Run]) -> None:
    """Refuse runs whose lineages differ in split or data; files of other tools say nothing of these.

    Raises:
        DataError: naming two runs and what differs.
    """
    telling = [run for run in runs if run.lineage]
    for run in telling[1:]:
        for what, wanted in telling[0].protocol.items():
            if run.protocol[what] != wanted:
                raise DataError(
                    f"{telling[0].name} and {run.name} differ in {what}: {wanted} in {telling[0].path}, "
                    f"{run.protocol[what]} in {run.path}",
                    _ALIKE,
                )


def aligned(run: Run, reference: Run) -> Run:
    """The run with its rows in the order of the reference.

    Raises:
        DataError: when the two differ in users or targets.
    """
    if run.user_ids.equals(reference.user_ids) and np.array_equal(run.target, reference.target):
        return run
    mine, theirs = _order(run), _order(reference)
    same = len(mine) == len(theirs) and (
        run.user_ids.take(mine).equals(reference.user_ids.take(theirs))
        and np.array_equal(run.target[mine], reference.target[theirs])
    )
    if not same:
        raise DataError(
            f"{run.path} ({len(run.rank)} rows) has other users or targets than {reference.path} "
            f"({len(reference.rank)} rows)",
            _ALIKE,
        )
    to = np.empty(len(mine), np.int64)
    to[theirs.to_numpy()] = mine.to_numpy()

    def moved(column: Integers | None) -> Any:
        return None if column is None else column[to]

    return replace(
        run,
        user_ids=reference.user_ids,
        target=reference.target,
        rank=run.rank[to],
        ties=moved(run.ties),
        other_rank=moved(run.other_rank),
        other_ties=moved(run.other_ties),
        history_length=moved(run.history_length),
        target_count=moved(run.target_count),
    )


def _order(run: Run) -> pa.Array:
    table = pa.table({Columns.USER_ID: run.user_ids, Columns.TARGET: run.target})
    return pc.sort_indices(table, [(Columns.USER_ID, "ascending"), (Columns.TARGET, "ascending")])
