"""Writes lists piece by piece: Parquet, JSON lines with a user a line, CSV with a recommendation a line."""

import codecs
import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, TextIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from stages.artifacts.atomic import atomic_path
from stages.artifacts.json_text import json_text
from stages.artifacts.lineage import Lineage
from stages.artifacts.tables import table_writer
from stages.recommend.options import STANDARD

RANK = "rank"
"""Column of the CSV: place in the list, from 1."""

_SINGULAR = {"item_ids": "similar_id", "scores": "score"}
_OBEYED = re.compile(r"[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""What a terminal obeys, or some programs take for the end of a line, of all that JSON leaves as it is."""

_FORMULA = r"^[=+\-@\t\r]"
"""Beginnings of a text that a spreadsheet runs as a formula.

Reference: OWASP, CSV injection.
"""


class ListWriter(Protocol):
    """Takes lists, some users at a time."""

    def write(self, table: pa.Table) -> None:
        """Append a table of lists."""
        ...

    def set_lineage(self, lineage: Lineage) -> None:
        """Say where they come from; formats that have no place for it leave it out."""
        ...


@contextlib.contextmanager
def list_writer(target: Path, schema: pa.Schema, stdout: TextIO | None = None) -> Iterator[ListWriter]:
    """Write lists to a file, which appears when the block ends without an error, or to standard output.

    Args:
        target: a file whose ending decides the format, or ``-``.
        schema: a column of names, columns of lists of equal lengths, others.
        stdout: where ``-`` goes.

    Raises:
        DataError: when the disk is full or the folder cannot be written.
    """
    if target == STANDARD:
        assert stdout is not None
        yield _JsonLines(stdout)
        stdout.flush()
    elif target.suffix == ".parquet":
        with table_writer(target, schema, option="--output") as writer:
            yield writer
    else:
        with atomic_path(target, option="--output") as temporary:
            if target.suffix == ".jsonl":
                with temporary.open("w", encoding="utf-8") as file:
                    yield _JsonLines(file)
            else:
                with pa_csv.CSVWriter(str(temporary), long_schema(schema)) as csv:
                    yield _Csv(csv)


def json_line(row: Mapping[str, Any], *, ascii_only: bool = False) -> str:
    """A list of recommendations as one line of JSON, without its end.

    Args:
        row: names and lists; ``scores`` as float32 were widened.
        ascii_only: see :func:`stages.artifacts.json_text.json_text`.

    Returns:
        The line, with escapes for what a terminal would obey and for ends of lines.
    """
    line = json_text({**row, "scores": [_short(score) for score in row["scores"]]}, ascii_only=ascii_only)
    return _OBEYED.sub(_escaped, line)


def _escaped(character: re.Match[str]) -> str:
    return json.dumps(character[0])[1:-1]


class _JsonLines:
    """One object a line.

    Args:
        file: where the lines go.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._ascii = codecs.lookup(file.encoding or "utf-8").name != "utf-8"  # a terminal without other letters

    def write(self, table: pa.Table) -> None:
        for row in table.to_pylist():
            self._file.write(json_line(row, ascii_only=self._ascii) + "\n")

    def set_lineage(self, lineage: Lineage) -> None:
        pass


class _Csv:
    """One list entry a line, texts defused.

    Args:
        writer: of Arrow.
    """

    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def write(self, table: pa.Table) -> None:
        self._writer.write_table(defused(long(table)))

    def set_lineage(self, lineage: Lineage) -> None:
        pass


def long(table: pa.Table) -> pa.Table:
    """Lists as a table with a row per entry: name, rank from 1, entry, score and the rest."""
    lengths = pc.list_value_length(table["item_ids"]).to_numpy().astype(np.int64)
    parents = np.repeat(np.arange(len(lengths)), lengths)
    ranks = np.arange(len(parents)) - np.repeat(np.cumsum(lengths) - lengths, lengths) + 1
    columns = []
    for column in table.columns:
        if pa.types.is_list(column.type):
            columns.append(pa.chunked_array([chunk.flatten() for chunk in column.chunks], column.type.value_type))
        else:
            columns.append(column.take(pa.array(parents)))
    columns.insert(1, pa.array(ranks.astype(np.int32)))
    return pa.table(columns, schema=long_schema(table.schema))


def long_schema(schema: pa.Schema) -> pa.Schema:
    """The columns of :func:`long`."""
    fields = []
    for field in schema:
        listed = pa.types.is_list(field.type)
        name = _entry_name(field.name, schema) if listed else field.name
        fields.append(pa.field(name, field.type.value_type if listed else field.type))
    fields.insert(1, pa.field(RANK, pa.int32()))
    return pa.schema(fields)


def _entry_name(name: str, schema: pa.Schema) -> str:
    if name == "item_ids" and schema.names[0] != "item_id":
        return "item_id"
    return _SINGULAR.get(name, name)


def defused(table: pa.Table) -> pa.Table:
    """The same with an apostrophe before each text that a spreadsheet would run as a formula."""
    for place, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            column = table.column(place)
            safe = pc.binary_join_element_wise("'", column, "")
            found = pc.fill_null(pc.match_substring_regex(column, _FORMULA), False)
            table = table.set_column(place, field, pc.if_else(found, safe, column))
    return table


def _short(score: float) -> float:
    """A float32 with the digits that it has, without those of its widening."""
    return float(str(np.float32(score)))
