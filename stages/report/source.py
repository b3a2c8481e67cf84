"""The files of a work directory that the page is made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.fingerprints import Fingerprints
from stages.artifacts.items import item_views, read_item_ids, read_texts
from stages.artifacts.lineage import read_lineage, require_consistent
from stages.artifacts.names import (
    BACKTEST,
    CODES,
    EMBEDDINGS,
    HISTORY,
    ITEMS,
    METRICS,
    MODEL_CONFIG,
    QUANTIZER,
    RANKS,
    SEQUENCES,
)
from stages.artifacts.sequences import Sequences, read_sequences
from stages.report.told import Told

_DATA = (SEQUENCES, ITEMS, EMBEDDINGS, CODES, QUANTIZER)
_EVALUATION = (METRICS, RANKS, BACKTEST)
_TITLE = "title"


@dataclass(frozen=True)
class Source:
    """A work directory, whose files belong together.

    Attributes:
        workdir: the folder.
        views: the text views of the items.
        title: the view that names an item; ``None`` where the items have no text.
    """

    workdir: Path
    views: list[str]
    title: str | None

    @classmethod
    def open(cls, workdir: Path, title: str | None) -> "Source":
        """Look at a work directory.

        Args:
            workdir: the folder.
            title: the view that names an item; ``None`` for ``title``, else the first.

        Raises:
            UsageError: when there is no such view.
            DataError: when the data are missing, or files do not belong together.
        """
        workdir = Path(workdir)
        views = item_views(workdir / ITEMS)
        if title is not None and title not in views:
            raise UsageError(
                f"--title {title!r} is no view of {workdir / ITEMS}",
                f"Choose one of {', '.join(views)}." if views else None,
            )
        present = [name for name in (*_DATA, *_EVALUATION) if name == SEQUENCES or (workdir / name).exists()]
        require_consistent(workdir, present, Fingerprints(workdir, keep=False))
        if title is None and views:
            title = _TITLE if _TITLE in views else views[0]
        return cls(workdir, views, title)

    def path(self, name: str) -> Path:
        """Where an artifact of this name lies."""
        return self.workdir / name

    def has(self, name: str) -> bool:
        """Whether there is such an artifact."""
        return self.path(name).exists()

    def told(self, name: str) -> Told:
        """What the stage that made an artifact reports of it; nothing of a file of another tool."""
        lineage = read_lineage(self.path(name))
        return Told(self.path(name), lineage.facts if lineage else {})

    def options(self, name: str) -> Mapping[str, Any]:
        """The options that an artifact was made with; none of a file of another tool."""
        lineage = read_lineage(self.path(name)) if self.has(name) else None
        return lineage.options if lineage else {}

    @property
    def evaluated(self) -> bool:
        """Whether there is an evaluation."""
        return self.has(METRICS) and self.has(RANKS)

    @property
    def is_earlier_model(self) -> bool:
        """Whether the model was trained on an earlier state of the data, as it may be when the catalogue grows."""
        try:
            require_consistent(self.workdir, [HISTORY], Fingerprints(self.workdir, keep=False))
        except DataError:
            return True
        return False

    @property
    def has_own_history(self) -> bool:
        """Whether the log of training is that of the model which is there."""
        if not self.has(MODEL_CONFIG):
            return True
        log, model = read_lineage(self.path(HISTORY)), read_lineage(self.path(MODEL_CONFIG))
        return (log.inputs, log.options) == (model.inputs, model.options) if log and model else log is model

    @cached_property
    def item_ids(self) -> pa.ChunkedArray:
        """(N,) original ids in the order of the item numbers."""
        return read_item_ids(self.path(ITEMS))

    @cached_property
    def titles(self) -> pa.ChunkedArray:
        """(N,) what names each item to a reader, null where an item lacks it."""
        if self.title is None:
            return pa.chunked_array([pa.nulls(len(self.item_ids), pa.string())])
        return read_texts(self.path(ITEMS), [self.title])[self.title]

    @cached_property
    def sequences(self) -> Sequences:
        """All histories, with the ids of the users."""
        return read_sequences(self.path(SEQUENCES), items=len(self.item_ids), user_ids=True)
