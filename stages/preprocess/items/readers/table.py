"""Item metadata in any table: a column of ids, and text columns that become views."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import methodcaller

import polars as pl

from stages.artifacts.errors import DataError
from stages.frame.reporter import Reporter
from stages.preprocess.columns import ID, ROW
from stages.preprocess.items.item_table import ItemTable, Wanted, check_views, choose_rows
from stages.preprocess.items.readers.json_lines import read_json_lines
from stages.preprocess.items.text import nested_text, nested_to_text
from stages.preprocess.sources.ids import id_text, one_spelling
from stages.preprocess.sources.sample import Sample, file_names
from stages.preprocess.sources.scan import collect, require_rows, scan, schema, types_of


@dataclass(frozen=True)
class TableItemReader:
    """Reads CSV, TSV, JSON lines, Parquet and Arrow.

    Attributes:
        name: what ``--items-format`` calls it.
        summary: the format in a few words.
        typed: only files whose header names types.
    """

    name: str
    summary: str
    typed: bool = False

    def recognises(self, sample: Sample) -> bool:
        """Any table will do."""
        return sample.typed or not self.typed

    def views(self, samples: list[Sample], id_column: str, wanted: Sequence[str] | None) -> list[str]:
        """The wanted views, or all columns of texts, lists and structures; numbers, dates and flags are no texts.

        Raises:
            UsageError: when a wanted view does not exist.
            DataError: when a file is malformed.
        """
        if wanted is not None and not any(sample.has_records for sample in samples):
            return check_views(wanted, [name for name in _all_columns(samples) if name != id_column], samples)
        found = [schema(sample) for sample in samples]  # of all files: a text may have its column in the last alone
        columns = [name for name in dict.fromkeys(name for types in found for name in types) if name != id_column]
        if wanted is None:
            wanted = [name for name in columns if any(_is_text(types[name]) for types in found if name in types)]
        return check_views(wanted, columns, samples)

    def read(
        self, samples: list[Sample], id_column: str, views: list[str], wanted: Wanted, reporter: Reporter
    ) -> ItemTable:
        """Read the texts of the wanted items.

        Raises:
            DataError: when a file is malformed, or none of the items is in it.
        """
        kinds = {sample.has_records for sample in samples}
        if len(kinds) > 1:
            raise DataError("the files of --items are of different kinds", "Give JSON lines or tables, not both.")
        if kinds == {True}:
            return read_json_lines(
                samples, id_column, {view: methodcaller("get", view) for view in views}, wanted, reporter
            )
        return read_rows(samples, id_column, views, _texts, wanted, reporter)


def read_rows(
    samples: list[Sample],
    id_column: str,
    views: list[str],
    texts: Callable[[Sample, list[str]], pl.LazyFrame],
    wanted: Wanted,
    reporter: Reporter,
) -> ItemTable:
    """Read the texts of the wanted items from tables.

    Args:
        texts: gives one string column per view for the rows of a file.

    Raises:
        DataError: when a file is malformed, or none of the items is in it.
    """
    with reporter.track(f"reading {file_names(samples)}", unit="rows") as advance:
        ids = collect(
            pl.concat([_ids(sample, id_column) for sample in samples]).with_row_index(ROW).select(ROW, ID),
            samples,
        )
        require_rows(ids.height, samples)
        ids = ids.with_columns(one_spelling(ids[ID]))
        chosen, unused, repeated = choose_rows(ids, wanted, samples, id_column)
        rows = pl.concat([texts(sample, views) for sample in samples]).with_row_index(ROW)
        frame = collect(rows.join(chosen.lazy(), on=ROW, how="inner"), samples).sort(ROW)
        advance(ids.height)
    return ItemTable(frame.select(ID, *views), views, unused, repeated)


def _all_columns(samples: list[Sample]) -> list[str]:
    return list(dict.fromkeys(name for sample in samples for name in sample.columns))


def _ids(sample: Sample, id_column: str) -> pl.LazyFrame:
    frame = scan(sample, [id_column])
    return frame.select(id_text(id_column, types_of(frame, sample)[id_column]).replace("", None).alias(ID))


def _texts(sample: Sample, views: list[str]) -> pl.LazyFrame:
    there = [view for view in views if view in sample.columns]
    if not there:
        return scan(sample, sample.own_columns[:1]).select(pl.lit(None, pl.String).alias(view) for view in views)
    frame = scan(sample, there)
    types = types_of(frame, sample)
    return frame.select(
        _text(view, types[view]) if view in types else pl.lit(None, pl.String).alias(view) for view in views
    )


def _text(view: str, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(view)
    if dtype.is_nested():
        return column.map_batches(nested_to_text, return_dtype=pl.String, is_elementwise=True)
    text = column.cast(pl.String)
    nested = text.str.contains(r"^\s*[\[{]")
    return (
        pl.when(nested)
        .then(text.map_batches(_nested_text, return_dtype=pl.String, is_elementwise=True))
        .otherwise(text)
    )


def _nested_text(series: pl.Series) -> pl.Series:
    return pl.Series(series.name, [nested_text(text) for text in series.to_list()], pl.String)


def _is_text(dtype: pl.DataType) -> bool:
    return dtype.is_nested() or dtype in (pl.String, pl.Categorical, pl.Enum)


TABLE = TableItemReader("table", "any table with a column of item ids: CSV, TSV, JSON lines, Parquet, Arrow or Feather")
