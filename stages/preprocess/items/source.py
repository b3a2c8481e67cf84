"""The files of the item metadata, the format they have, and the columns that the views need."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.artifacts.errors import DataError, UsageError
from stages.frame.reporter import Reporter
from stages.preprocess.items.item_table import ItemReader, ItemTable, Wanted, choose_id_column
from stages.preprocess.items.readers import ITEM_READERS
from stages.preprocess.items.views import ViewSelection
from stages.preprocess.options import PreprocessOptions
from stages.preprocess.sources.bad_rows import BadRows
from stages.preprocess.sources.finder import Finder
from stages.preprocess.sources.formats import choose_reader
from stages.preprocess.sources.paths import items_beside
from stages.preprocess.sources.reading import reading_of_items
from stages.preprocess.sources.sample import Sample


@dataclass(frozen=True)
class ItemSource:
    """Where the item metadata is read from.

    Attributes:
        reader: of the format; ``None`` when there is no item metadata.
        samples: the files.
        id_column: the column that holds the items' ids.
        beside: it was found in the folder of the log, and not named.
    """

    reader: ItemReader | None = None
    samples: tuple[Sample, ...] = ()
    id_column: str | None = None
    beside: bool = False

    @property
    def format(self) -> str | None:
        """The name of the format."""
        return self.reader.name if self.reader else None

    def recorded(self) -> dict[str, Any]:
        """What the lineage records: plain names of the files, the format, the column of the ids."""
        return {
            "items": [sample.path.name for sample in self.samples],
            "items_format": self.format,
            "items_id_column": self.id_column,
        }

    def announce(self, reporter: Reporter) -> None:
        """Say which format was recognised."""
        if self.reader:
            found = "found beside the log, " if self.beside else ""
            reporter.info(f"{self.samples[0].path.name}: {found}read as {self.reader.name} ({self.reader.summary})")

    def choose_views(self, views: ViewSelection, cold: bool, bad_rows: BadRows) -> tuple[ViewSelection, list[str]]:
        """Name all views, and the columns that they need.

        Args:
            views: what the user selects.
            cold: whether items without interactions are wanted, which need a text.
            bad_rows: which malformed lines are allowed.

        Raises:
            UsageError: when a column does not exist, or ``cold`` items would have no view.
            DataError: when a file is malformed.
        """
        if self.reader is None:
            return views, []
        reader, id_column = self.reader, str(self.id_column)

        def choose(samples: list[Sample]) -> tuple[ViewSelection, list[str]]:
            picked = reader.views(samples, id_column, views.wanted) if views.wanted != [] else []
            fields = reader.views(samples, id_column, views.fields) if views.fields else []
            return views.named(picked), list(dict.fromkeys([*picked, *fields]))

        named, columns = bad_rows.read(list(self.samples), choose)
        if cold and not columns:
            raise UsageError(
                "--keep-cold-items needs a view", "Give item metadata with texts, or name a column in --views."
            )
        return named, columns

    def read(self, columns: list[str], wanted: Wanted, bad_rows: BadRows, reporter: Reporter) -> ItemTable | None:
        """Read the texts of the wanted items; ``None`` where there is no text to read.

        Raises:
            DataError: when a file is malformed, or none of the items is in it.
        """
        if self.reader is None or not columns:
            return None
        reader, id_column = self.reader, str(self.id_column)
        try:
            return bad_rows.read(
                list(self.samples), lambda samples: reader.read(samples, id_column, columns, wanted, reporter)
            )
        except DataError as error:
            if not self.beside:
                raise
            hint = "It was found in the folder of the log; name the files of the log, not the folder, to do without it."
            raise DataError(error.message, f"{error.hint} {hint}" if error.hint else hint) from error


def find_items(options: PreprocessOptions, item_column: str, finder: Finder) -> ItemSource:
    """Find the files of the item metadata, and choose their format and the column of the ids.

    Where none are named and the log is a folder, they are looked for in it.

    Args:
        options: the files, and the format and column that the user names.
        item_column: what the column of the ids is called in the log.
        finder: finds the files.

    Raises:
        UsageError: when an option needs item metadata, and there is none.
        DataError: when a file is missing or lacks the column, or files do not belong together.
    """
    named: Sequence[Path] = options.items
    if beside := not named:
        named = items_beside(options.inputs, finder.passed_over)
    samples = finder.samples(named, "items", reading_of_items(options))
    for path in (sample.path for sample in samples):
        finder.passed_over.forget(str(path.parent), [path.name])
    if not samples:
        _refuse_options_of_items(options)
        return ItemSource()
    reader = choose_reader(ITEM_READERS, samples, options.items_format, "--items-format")
    wanted = options.items_id_column
    with suppress(DataError):
        return ItemSource(reader, tuple(samples), choose_id_column(samples, wanted, item_column), beside)
    samples = [finder.with_all_keys(sample) for sample in samples]  # the first records may lack it
    return ItemSource(reader, tuple(samples), choose_id_column(samples, wanted, item_column), beside)


def _refuse_options_of_items(options: PreprocessOptions) -> None:
    for name in ("views", "view_template", "keep_cold_items"):
        if getattr(options, name):
            raise UsageError(f"--{name.replace('_', '-')} needs item metadata", "Give the metadata with --items.")
