"""Item metadata in JSON lines: only lines of items in the log are parsed in full, whatever their fields look like."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

from stages.frame.reporter import Reporter
from stages.preprocess.columns import ID, ROW
from stages.preprocess.items.item_table import ItemTable, Wanted, choose_rows
from stages.preprocess.items.text import to_text
from stages.preprocess.sources.ids import one_spelling
from stages.preprocess.sources.records import struct_of
from stages.preprocess.sources.sample import Sample, file_names
from stages.preprocess.sources.scan import collect, scan_lines, without_null_words

_LINE = "line"
_NUMBER = "number"
_TEXTS = "texts"

Field = Callable[[dict[str, Any]], Any]


def read_json_lines(
    samples: list[Sample], id_column: str, fields: dict[str, Field], wanted: Wanted, reporter: Reporter
) -> ItemTable:
    """Read the texts of the wanted items.

    Args:
        fields: for each view, what takes its value out of a record.

    Raises:
        DataError: when a line is not a JSON object, or none of the items is in the files.
    """
    lines = pl.concat([scan_lines(sample, _LINE, _NUMBER) for sample in samples]).with_row_index(ROW)
    record = pl.col(_LINE).str.json_decode(pl.Struct({id_column: pl.String}))
    with reporter.track(f"reading {file_names(samples)}", unit="rows") as advance:
        ids = collect(lines.select(ROW, record.struct.field(id_column).alias(ID)), samples)
        ids = ids.with_columns(one_spelling(ids[ID]))
        words = samples[0].reading.null_values
        if words:
            ids = ids.with_columns(without_null_words(pl.col(ID), words))
        chosen, unused, repeated = choose_rows(ids, wanted, samples, id_column)
        texts = pl.col(_LINE).map_batches(
            lambda series: _texts(series, fields, words), return_dtype=struct_of(list(fields)), is_elementwise=True
        )
        found = lines.join(chosen.lazy(), on=ROW, how="inner").select(ROW, ID, texts.alias(_TEXTS))
        frame = collect(found, samples).sort(ROW).select(ID, pl.col(_TEXTS).struct.unnest())
        advance(ids.height)
    return ItemTable(frame, list(fields), unused, repeated)


def _texts(lines: pl.Series, fields: dict[str, Field], words: Sequence[str]) -> pl.Series:
    # Python's parser, because the engine's would need one type per field and real files mix them.
    return texts_of([json.loads(line) for line in lines.to_list()], fields, words, to_text)


def texts_of(
    records: list[dict[str, Any]], fields: dict[str, Field], words: Sequence[str], text: Callable[[Any], str | None]
) -> pl.Series:
    """The texts of records, a structure with one string a view.

    Args:
        records: of the items.
        fields: for each view, what takes its value out of a record.
        words: that stand for nothing.
        text: makes a text of a value.
    """

    def of(value: Any) -> str | None:
        found = text(value)
        return None if found in words else found

    rows = [{view: of(field(record)) for view, field in fields.items()} for record in records]
    return pl.Series(_TEXTS, rows, struct_of(list(fields)))
