"""A model with all that answers need, read once: what happens in the work directory later does not reach it."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stages.artifacts.digest import State, file_state
from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.fingerprints import Fingerprints
from stages.artifacts.histories import Histories, read_histories
from stages.artifacts.items import read_texts
from stages.artifacts.lineage import require_consistent
from stages.artifacts.names import (
    CODES,
    EMBEDDINGS,
    EXPORT,
    HISTORIES,
    INDEX,
    ITEMS,
    MODEL_CONFIG,
    MODEL_WEIGHTS,
    SEQUENCES,
    Columns,
)
from stages.frame.reporter import Reporter
from stages.model.cosines import Cosines
from stages.model.files import grown_note
from stages.recommend.items import Numbers
from stages.recommend.popular import Counts, count_items_taken, popularity_file
from stages.recommend.recommender import MODEL_FILES, Recommender, recommender_files
from stages.serve.ids import IdIndex
from stages.serve.options import ServeOptions
from stages.serve.shortlist import LoadIndex, Shortlist

WATCHED = (ITEMS, SEQUENCES, HISTORIES, EMBEDDINGS, CODES, MODEL_WEIGHTS, MODEL_CONFIG, INDEX, EXPORT)
"""Files that a snapshot may be made of."""

States = tuple[State | None, ...]


class ChangedMeanwhileError(DataError):
    """The files were replaced while they were read; to be read again."""


@dataclass(frozen=True)
class Snapshot:
    """A model, its catalogue and the users' histories.

    Attributes:
        recommender: ranks; nothing that it does for the server reads a file.
        version: of the contents of all files that it was read from, 16 hexadecimal digits.
        items: finds items.
        users: finds users; empty without ``histories.parquet``.
        histories: of these users; ``None`` without that file.
        counts: (N,) how often each item was taken; ``None`` where no file says so.
        popular: (N,) item numbers, those first that were taken most often; empty without ``counts``.
        columns: ids of the items, and the texts that answers carry, each (N,).
        shortlist: ranks with an index; ``None`` without one.
        no_similar: why there are no similar items; ``None`` where there are.
        files: state of the files when it was read.
    """

    recommender: Recommender
    version: str
    items: IdIndex
    users: IdIndex
    histories: Histories | None
    counts: Counts | None
    popular: Numbers
    columns: dict[str, pa.ChunkedArray]
    shortlist: Shortlist | None
    no_similar: str | None
    files: States

    def history(self, user: int) -> Numbers:
        """The whole history of a user, by item number, oldest first."""
        assert self.histories is not None
        offsets = self.histories.offsets
        return self.histories.items[offsets[user] : offsets[user + 1]]


def file_states(workdir: Path) -> States:
    """What changes whenever one of the files is written or replaced; ``None`` for a file that is not there."""
    return tuple(_state(workdir / name) for name in WATCHED)


def _state(path: Path) -> State | None:
    try:
        return file_state(path.stat())
    except OSError:
        return None


def load_snapshot(
    workdir: Path, options: ServeOptions, reporter: Reporter, load_index: LoadIndex | None = None
) -> Snapshot:
    """Read a model that is whole: files that belong together, scores that are finite, nothing replaced meanwhile.

    Args:
        workdir: the work directory, after ``cocorec train``.
        options: of the server.
        reporter: is told what should be known of the model.
        load_index: reads the index of the item vectors; without it all items are scored for each request.

    Raises:
        UsageError: for a device that is not there, a view that is none, or lists longer than the catalogue.
        ChangedMeanwhileError: when a file was replaced while it was read.
        DataError: for files that are missing, damaged, or do not belong together.
    """
    states = file_states(workdir)
    try:
        found = _read(workdir, options, states, load_index)
    except (DataError, OSError) as error:
        _require_unchanged(workdir, states, error)
        raise
    _require_unchanged(workdir, states)
    if said := grown_note(found.recommender.model.config, found.recommender.added):
        reporter.warn(said)
    return found


def _require_unchanged(workdir: Path, states: States, cause: Exception | None = None) -> None:
    changed = [name for name, old, new in zip(WATCHED, states, file_states(workdir), strict=True) if old != new]
    if changed:
        raise ChangedMeanwhileError(
            f"{workdir}: {', '.join(changed)} changed while it was read", "Wait for the run that writes it."
        ) from cause


def _read(workdir: Path, options: ServeOptions, states: States, load_index: LoadIndex | None) -> Snapshot:
    recommender = Recommender.load(workdir, device=options.device, new_item_boost=options.new_item_boost)
    if options.top > len(recommender.items):
        raise UsageError(f"--top {options.top} is above the {len(recommender.items):,} items of the catalogue")
    recommender.items.check_views(options.with_views)
    counted, there = popularity_file(workdir), (workdir / HISTORIES).exists()
    files = [name for name in recommender_files(workdir) if name not in MODEL_FILES]
    files += [HISTORIES] if there else []
    files += [EMBEDDINGS] if options.similar_by == "text" and EMBEDDINGS not in files else []
    fingerprints = Fingerprints(workdir)
    require_consistent(workdir, files, fingerprints)
    histories = read_histories(workdir / HISTORIES, items=len(recommender.items)) if there else None
    users = IdIndex(pa.chunked_array([], pa.string()) if histories is None else histories.user_ids)
    if users.repeated is not None:
        raise DataError(
            f"{workdir / HISTORIES}: user {users.repeated!r} occurs again", "Give each user one row: all items in one."
        )
    counts = None if counted is None else count_items_taken(workdir, len(recommender.items))
    columns = {Columns.ITEM_IDS: recommender.items.ids}
    if options.with_views:
        columns |= read_texts(workdir / ITEMS, list(options.with_views))
    versioned = {*files, *MODEL_FILES, *([] if counted is None else [counted.name])}
    versioned |= {EXPORT} if load_index is not None and (workdir / EXPORT).exists() else set()
    return Snapshot(
        recommender=recommender,
        version=_version(workdir, versioned, fingerprints),
        items=IdIndex(recommender.items.ids),
        users=users,
        histories=histories,
        counts=counts,
        popular=np.empty(0, np.int32) if counts is None else _by_count(counts),
        columns=columns,
        shortlist=None if load_index is None else _shortlist(workdir, recommender, load_index),
        no_similar=_try_out(recommender, options),
        files=states,
    )


def _shortlist(workdir: Path, recommender: Recommender, load_index: LoadIndex) -> Shortlist:
    scorer = recommender.scorer
    if not isinstance(scorer, Cosines):
        raise UsageError(
            f"the model {recommender.model.config.model} has no vectors of items to search",
            "Serve without an index, or train another --model.",
        )
    return Shortlist(load_index(workdir), scorer, recommender.model.config.max_history, str(workdir))


def _by_count(counts: Counts) -> npt.NDArray[np.int32]:
    """Item numbers, those first that were taken most often, equal ones in the order of their numbers."""
    order: npt.NDArray[np.int32] = (np.argsort(-counts, kind="stable") + 1).astype(np.int32)
    return order


def _try_out(recommender: Recommender, options: ServeOptions) -> str | None:
    """Rank once, so that all that is computed once is there, and a model that is not finite is refused.

    Returns:
        Why there are no similar items, if there are none.
    """
    one = np.array([1], np.int32)
    recommender.lists(one, np.array([0, 1]), top=1)
    try:
        recommender.neighbours(one, top=1, by=options.similar_by)
    except UsageError as error:
        return error.message
    return None


def _version(workdir: Path, files: set[str], fingerprints: Fingerprints) -> str:
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{name} {fingerprints.of_contents(workdir / name)}\n".encode())
    return digest.hexdigest()[:16]
