"""Lazy reading of any kind of file, and errors of the engine turned into errors a person can act on."""

import glob
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast

import polars as pl
import pyarrow as pa

from stages.artifacts.errors import DataError
from stages.preprocess.sources.binary import binary_as_text, unreadable_column
from stages.preprocess.sources.opened import open_bytes
from stages.preprocess.sources.records import MALFORMED, PARSERS, problem_with, python_to_json, struct_of, take_fields
from stages.preprocess.sources.sample import BOM, Sample
from stages.preprocess.sources.survey import explain_text, first_difference

_LINE = "line"
_NUMBER = "number"


class MalformedLineError(DataError):
    """A file of records has a line that is no record."""


class UnreadableError(DataError):
    """The engine refuses a file of records, and no line is malformed as far as Python is concerned."""


def scan(sample: Sample, columns: Sequence[str]) -> pl.LazyFrame:
    """Scan some columns of a file: strings from text files, the file's own types from Parquet and Arrow.

    JSON values that are not strings arrive as their JSON text, so mixed types are no error.

    Raises:
        DataError: when the file is damaged where the engine looks at it already now.
    """
    own = [column for column in columns if column in sample.own_columns or sample.has_records]
    own = [column for column in own if column not in dict(sample.folders)]
    with explained([sample]):
        frame = _scan(sample, own) if own else _scan(sample, sample.own_columns[:1])
        if words := list(sample.reading.null_values):
            texts = [name for name, dtype in frame.collect_schema().items() if dtype == pl.String]
            frame = frame.with_columns(without_null_words(pl.col(name), words) for name in texts)
    added = [pl.lit(value, pl.String).alias(name) for name, value in sample.folders if name in columns]
    return frame.with_columns(added).select(columns) if added or not own else frame


def without_null_words(text: pl.Expr, words: Sequence[str]) -> pl.Expr:
    """A text column, null where it is one of the words that stand for nothing."""
    return pl.when(~text.str.strip_chars().is_in(list(words))).then(text)


def _scan(sample: Sample, columns: Sequence[str]) -> pl.LazyFrame:
    if sample.is_plain_json:
        return pl.scan_ndjson(no_glob(sample.source), schema=dict.fromkeys(columns, pl.String))
    if sample.has_records:
        fields = pl.col(_LINE).map_batches(
            lambda lines: take_fields(lines, columns), return_dtype=struct_of(columns), is_elementwise=True
        )
        return scan_lines(sample, _LINE, _NUMBER).select(fields).unnest(_LINE)
    if sample.kind == "csv":
        # A row with a field too many would go unnoticed, and shift its fields, if only some columns were parsed.
        if sample.table:
            return _scan_table(sample).select(columns)
        rows = _scan_rows(sample, infer=False).map_batches(_as_it_is, projection_pushdown=False, streamable=True)
        return rows.select(columns)
    return _scan_binary(sample, columns)


def schema(sample: Sample) -> pl.Schema:
    """The types of all columns of a file; of text files, as the whole file suggests them.

    Raises:
        DataError: when the file is damaged or malformed.
    """
    found = _own_schema(sample)
    added = {name: pl.String() if value and not value.isdecimal() else pl.Int64() for name, value in sample.folders}
    return pl.Schema({**found, **added})


def keys_of(sample: Sample) -> Sample:
    """A file of records with the keys of all of them, not of the first alone."""
    keys = dict.fromkeys(sample.own_columns)
    try:
        keys.update(dict.fromkeys(schema(sample).names()))
    except DataError:  # said when the file is read, by line
        parse = PARSERS[sample.kind]
        with open_bytes(sample.source) as file:
            for line in file:
                with suppress(*MALFORMED):
                    keys.update(dict.fromkeys(map(str, parse(line))) if line.strip() else {})
    added = dict(sample.folders)
    return replace(sample, columns=(*(key for key in keys if key not in added), *added))


def _own_schema(sample: Sample) -> pl.Schema:
    with explained([sample]):
        if sample.is_plain_json:
            try:
                return pl.scan_ndjson(no_glob(sample.source), infer_schema_length=None).collect_schema()
            except pl.exceptions.SchemaError:
                return _schema_of_records(sample)  # fields of several types
        if sample.has_records:
            return _schema_of_records(sample)
        if sample.kind == "csv":
            return _types_of_table(sample) if sample.table else _scan_rows(sample, infer=True).collect_schema()
        return _scan_binary(sample, sample.own_columns).collect_schema()


def _types_of_table(sample: Sample) -> pl.Schema:
    """Floats where every text is a number, as the engine finds them in the files that it reads itself."""
    words = list(sample.reading.null_values)
    frame = _scan_table(sample).select(without_null_words(pl.all(), words) if words else pl.all())
    value, number = pl.all(), pl.all().cast(pl.Float64, strict=False)
    numbers = frame.select((value.is_null() | number.is_not_null()).all()).collect(engine="streaming").row(0)
    kinds = [pl.Float64() if is_number else pl.String() for is_number in numbers]
    return pl.Schema(dict(zip(sample.own_columns, kinds, strict=True)))


def _scan_table(sample: Sample) -> pl.LazyFrame:
    frame = pl.scan_ipc(str(sample.table), glob=False)
    names = {str(number): name for number, name in enumerate(sample.own_columns)}
    return frame.rename(names).cast(pl.String)


def scan_lines(sample: Sample, line: str, row: str) -> pl.LazyFrame:
    """Scan the records of a file of them as lines of JSON, with the numbers of the lines from 0.

    Raises:
        DataError: when the file is damaged where the engine looks at it already now.
    """
    with explained([sample]):
        lines = pl.scan_lines(sample.source, name=line, row_index_name=row, glob=False)
    text = pl.col(line).str.strip_chars_start("\ufeff")
    lines = lines.with_columns(text).filter(text.str.strip_chars() != "")
    if sample.kind == "python":
        made = pl.col(line).map_batches(python_to_json, return_dtype=pl.String, is_elementwise=True)
        lines = lines.with_columns(made)
    return lines


def _as_it_is(frame: pl.DataFrame) -> pl.DataFrame:
    return frame


def _schema_of_records(sample: Sample) -> pl.Schema:
    """Strings where at least one value is a text, a list or an object, else floats; looked at one by one."""
    parse = PARSERS[sample.kind]
    types: dict[str, pl.DataType] = {}
    with open_bytes(sample.source) as file:
        for number, line in enumerate(file):
            if not line.strip():
                continue
            try:
                record = parse(line if number else line.removeprefix(BOM))
            except MALFORMED as error:
                raise pl.exceptions.ComputeError(f"line {number + 1} {problem_with(sample.kind, error)}") from error
            for key, value in record.items():
                text = isinstance(value, str | list | tuple | dict)
                if text or str(key) not in types:
                    types[str(key)] = pl.String() if text else pl.Float64()
    return pl.Schema(types)


def _scan_rows(sample: Sample, infer: bool) -> pl.LazyFrame:
    names = list(sample.own_columns)
    if sample.is_old_movielens:
        # Nothing else reads separators of two characters, or text that is not UTF-8. These files are small but for
        # the ratings, which are digits.
        fields = pl.col(_LINE).str.splitn(sample.separator, len(names)).struct.rename_fields(names)
        return _legacy_lines(sample).select(fields.alias(_LINE)).unnest(_LINE)
    scan = partial(
        pl.scan_csv,
        sample.source,
        separator=sample.separator,
        has_header=sample.header,
        skip_lines=sample.before,
        quote_char=sample.quote,
        null_values=list(sample.reading.null_values) or None,
        glob=False,
    )
    # Spaces around the names in the header are not part of the names, nor are the types of RecBole.
    found = scan(infer_schema=False, infer_schema_length=0).collect_schema().names()
    wanted = names if sample.typed or not sample.header else [name.strip() for name in found]
    frame = scan(infer_schema=infer, infer_schema_length=None if infer else 0)
    return frame if found == wanted else frame.rename(dict(zip(found, wanted, strict=True)))


def _legacy_lines(sample: Sample) -> pl.LazyFrame:
    """Lines of a text in UTF-8 or, as the titles in older MovieLens files, in Latin-1."""
    if "userId" in sample.columns:
        return pl.scan_lines(sample.source, name=_LINE, glob=False).filter(pl.col(_LINE) != "")
    with open_bytes(sample.source) as file:
        data = file.read()
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return pl.LazyFrame({_LINE: [line.rstrip("\r") for line in text.split("\n") if line.strip()]})


def _scan_binary(sample: Sample, columns: Sequence[str]) -> pl.LazyFrame:
    if sample.kind == "parquet":
        frame = pl.scan_parquet(sample.source, glob=False, hive_partitioning=False).select(columns)
    elif sample.kind == "arrow":
        frame = pl.scan_ipc(sample.source, glob=False, hive_partitioning=False).select(columns)
    else:
        # Streams, such as the files of Hugging Face datasets, are mapped, not read; the engine has no scan for them.
        with explained([sample]), pa.memory_map(str(sample.source)) as file:
            table = pa.ipc.open_stream(file).read_all().select(list(columns))
            table.validate(full=True)  # mapped bytes are believed: a wrong offset would reach beyond them
        frame = cast(pl.DataFrame, pl.from_arrow(table)).lazy()
    return binary_as_text(frame, sample)


def types_of(frame: pl.LazyFrame, sample: Sample) -> pl.Schema:
    """The types of what is scanned of a file.

    Raises:
        DataError: when the file is damaged.
    """
    with explained([sample]):
        return frame.collect_schema()


def no_glob(path: Path) -> str:
    """The path for a reader that would take ``[`` and ``*`` in it for a pattern."""
    return glob.escape(str(path))


def collect(frame: pl.LazyFrame, samples: Iterable[Sample]) -> pl.DataFrame:
    """Run a query over the files of ``samples`` in the streaming engine.

    Raises:
        DataError: when a file is damaged or malformed, naming the file and, where it can be found, the row.
    """
    with explained(samples):
        return frame.collect(engine="streaming")


def require_rows(found: int, samples: Sequence[Sample]) -> None:
    """Hold the number of rows that were read against the number counted apart from the reader.

    Raises:
        DataError: naming the file, both numbers and the first line that was read otherwise.
    """
    if any(sample.rows is None for sample in samples) or found == sum(sample.rows or 0 for sample in samples):
        return
    for sample in samples:
        column = sample.own_columns[0]
        read = collect(scan(sample, [column]), [sample])[column].to_list()
        if len(read) != sample.rows and sample.has_records:
            raise DataError(
                f"{sample.path}: {len(read):,} records were read, but it has {sample.rows:,} lines that are not blank",
                "Write one record per line.",
            )
        if len(read) != sample.rows:
            raise DataError(
                f"{sample.path}: {len(read):,} rows were read, but it has {sample.rows:,}; they part at line "
                f"{first_difference(sample, read)}",
                "Look at this line and the one before, or say how the file is written with --quote and --escape.",
            )


@contextmanager
def explained(samples: Iterable[Sample]) -> Iterator[None]:
    """Turn errors of the engine inside the block into a :class:`DataError` that names file and row."""
    try:
        yield
    except (
        pl.exceptions.PolarsError,
        pl.exceptions.PanicException,
        pa.ArrowException,
        OSError,
        UnicodeDecodeError,
    ) as error:
        raise _explain(error, list(samples)) from error


def _explain(error: BaseException, samples: list[Sample]) -> DataError:
    """Find the malformed row by reading again, slowly; only ever done after a failure."""
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    for sample in samples:
        if sample.has_records:
            number, problem = next(bad_records(sample), (0, ""))
            if number:
                return MalformedLineError(
                    f"{sample.path}: line {number} {problem}", "Correct or remove the line, or see --max-bad-rows."
                )
        elif sample.kind == "csv":
            explain_text(sample)
        elif column := unreadable_column(sample):
            return DataError(
                f"{sample.path}: column {column} cannot be read ({reason})",
                "Name another column, or write this one again as text or numbers.",
            )
    files = ", ".join(str(sample.path) for sample in samples)
    kind = UnreadableError if any(sample.has_records for sample in samples) else DataError
    return kind(f"cannot read {files}: {reason}", "Check the file's contents.")


def bad_records(sample: Sample) -> Iterator[tuple[int, str]]:
    """The malformed lines of a file of records: their numbers from 1, and what is wrong."""
    parse = PARSERS[sample.kind]
    with open_bytes(sample.source) as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                parse(line.removeprefix(BOM) if number == 1 else line)
            except MALFORMED as error:
                yield number, problem_with(sample.kind, error)
