"""The items of an earlier catalogue, whose numbers stand when it grows."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from stages.artifacts.atomic import require_file
from stages.artifacts.digest import check_digest
from stages.artifacts.errors import DataError
from stages.artifacts.items import EXTENDED, item_views, read_item_ids
from stages.artifacts.lineage import RAW, difference, read_lineage
from stages.artifacts.names import ITEMS, Columns
from stages.artifacts.tables import read_table
from stages.frame.run import StageRun

_INPUT = "extended catalogue"
_BEFORE = "before"


@dataclass(frozen=True)
class KnownItems:
    """An earlier catalogue.

    Attributes:
        frame: ``item_id`` and one string column per view, in the order of the items' numbers.
    """

    frame: pl.DataFrame

    @property
    def ids(self) -> pl.Series:
        """(K,) the ids of the items 1..K."""
        return self.frame[Columns.ITEM_ID]

    @property
    def views(self) -> list[str]:
        """The names of the text views."""
        return self.frame.columns[1:]

    def followed_by(self, ids: pl.Series) -> tuple[pl.Series, Mapping[str, int]]:
        """The ids of the catalogue that has grown, and counts of it.

        Args:
            ids: distinct ids of the items that there are now, in byte order.

        Returns:
            The known ids in their order, then the others in byte order; and how many items there were ``before``, of
            which ``kept`` are still there and ``vanished`` are not but keep their numbers, and how many are ``new``.
        """
        new = ids.filter(~ids.is_in(self.ids.implode()))
        kept = ids.len() - new.len()
        counts = {_BEFORE: self.ids.len(), "kept": kept, "vanished": self.ids.len() - kept, "new": new.len()}
        return pl.concat([self.ids, new]), counts


def read_known(folder: Path | None, run: StageRun) -> KnownItems | None:
    """Read the catalogue to extend, and note it as an input; ``None`` where none is to be extended.

    Where the catalogue of the work directory itself was extended by this very command before, what it was then is
    extended again: to repeat a command changes nothing.

    Args:
        folder: the work directory whose ``items.parquet`` is extended.
        run: of the stage, all other inputs noted.

    Raises:
        DataError: when the file is missing, damaged, breaks the contract, or has two items of one id.
    """
    if folder is None:
        return None
    path = folder / ITEMS
    frame = _read(path)
    before, fingerprint = _before(path, run)
    run.read_raw(_INPUT, fingerprint)
    return KnownItems(frame if before is None else frame.head(before))


def check_known(folder: Path) -> None:
    """Refuse a catalogue that cannot be extended.

    Raises:
        DataError: as of :func:`read_known`.
    """
    require_file(folder / ITEMS)
    check_digest(folder / ITEMS)
    _read(folder / ITEMS)


def _read(path: Path) -> pl.DataFrame:
    """``item_id`` and the text views of a catalogue."""
    ids = pl.Series(Columns.ITEM_ID, read_item_ids(path))
    if ids.n_unique() < ids.len():
        twice = ids.filter(ids.is_duplicated())[0]
        raise DataError(f"{path}: column {Columns.ITEM_ID!r} has {twice!r} twice", "Every item needs an id of its own.")
    frame = pl.DataFrame(ids)
    if views := item_views(path):
        texts = pl.DataFrame(read_table(path, views))
        frame = frame.with_columns(texts[view].cast(pl.String) for view in views)
    return frame


def _before(path: Path, run: StageRun) -> tuple[int | None, str]:
    """How many items of the file were known before this command first ran, ``None`` for all; their fingerprint."""
    lineage = read_lineage(path)
    if lineage and path.resolve() == run.path(ITEMS).resolve() and (earlier := lineage.inputs.get(RAW + _INPUT)):
        counts = lineage.facts.get(EXTENDED)
        same = difference(lineage, run.recorded, {**run.inputs, RAW + _INPUT: earlier}) is None
        if same and isinstance(counts, Mapping) and isinstance(counts.get(_BEFORE), int):
            return counts[_BEFORE], earlier
    return None, run.fingerprints.of_contents(path)
