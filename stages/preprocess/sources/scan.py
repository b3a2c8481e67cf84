"""Lazy reading of any kind of file, and errors of the engine turned into errors a person can act on."""

import csv
import glob
import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import cast

import polars as pl
import pyarrow as pa

from stages.artifacts.errors import DataError
from stages.preprocess.sources.records import MALFORMED, PARSERS, problem_with, python_to_json, struct_of, take_fields
from stages.preprocess.sources.sample import BOM, Sample, open_bytes

_LINE = "line"
_NUMBER = "number"
_FIELD = 1 << 30  # of a description, say; Python's own limit is 128 KiB


def scan(sample: Sample, columns: Sequence[str]) -> pl.LazyFrame:
    """Scan some columns of a file: strings from text files, the file's own types from Parquet and Arrow.

    JSON values that are not strings arrive as their JSON text, so mixed types are no error.

    Raises:
        DataError: when the file is damaged where the engine looks at it already now.
    """
    with explained([sample]):
        return _scan(sample, columns)


def _scan(sample: Sample, columns: Sequence[str]) -> pl.LazyFrame:
    if sample.is_plain_json:
        return pl.scan_ndjson(no_glob(sample.path), schema=dict.fromkeys(columns, pl.String))
    if sample.has_records:
        fields = pl.col(_LINE).map_batches(
            lambda lines: take_fields(lines, columns), return_dtype=struct_of(columns), is_elementwise=True
        )
        return scan_lines(sample, _LINE, _NUMBER).select(fields).unnest(_LINE)
    if sample.kind == "csv":
        # A row with a field too many would go unnoticed, and shift its fields, if only some columns were parsed.
        rows = _scan_rows(sample, infer=False).map_batches(_as_it_is, projection_pushdown=False, streamable=True)
        return rows.select(columns)
    return _scan_binary(sample, columns)


def schema(sample: Sample) -> pl.Schema:
    """The types of all columns of a file; of text files, as the whole file suggests them.

    Raises:
        DataError: when the file is damaged or malformed.
    """
    with explained([sample]):
        if sample.is_plain_json:
            try:
                return pl.scan_ndjson(no_glob(sample.path), infer_schema_length=None).collect_schema()
            except pl.exceptions.SchemaError:
                return _schema_of_records(sample)  # fields of several types
        if sample.has_records:
            return _schema_of_records(sample)
        if sample.kind == "csv":
            return _scan_rows(sample, infer=True).collect_schema()
        return _scan_binary(sample, sample.columns).collect_schema()


def scan_lines(sample: Sample, line: str, row: str) -> pl.LazyFrame:
    """Scan the records of a file of them as lines of JSON, with the numbers of the lines from 0.

    Raises:
        DataError: when the file is damaged where the engine looks at it already now.
    """
    with explained([sample]):
        lines = pl.scan_lines(sample.path, name=line, row_index_name=row, glob=False)
    text = pl.col(line).str.strip_chars_start("\ufeff")
    lines = lines.with_columns(text).filter(text.str.strip_chars() != "")
    if sample.skip:
        lines = lines.filter(~pl.col(row).is_in(sample.skip))
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
    with open_bytes(sample.path) as file:
        for number, line in enumerate(file):
            if not line.strip() or number in sample.skip:
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
    names = list(sample.columns)
    if len(sample.separator) > 1 or not (sample.header or sample.separator == "\t"):
        # Nothing else reads separators of two characters, or text that is not UTF-8. These files are small but for
        # the ratings, which are digits.
        fields = pl.col(_LINE).str.splitn(sample.separator, len(names)).struct.rename_fields(names)
        return _legacy_lines(sample).select(fields.alias(_LINE)).unnest(_LINE)
    scan = partial(
        pl.scan_csv,
        sample.path,
        separator=sample.separator,
        has_header=sample.header,
        quote_char='"' if sample.quoted else None,
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
        return pl.scan_lines(sample.path, name=_LINE, glob=False).filter(pl.col(_LINE) != "")
    with open_bytes(sample.path) as file:
        data = file.read()
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return pl.LazyFrame({_LINE: [line.rstrip("\r") for line in text.split("\n") if line.strip()]})


def _scan_binary(sample: Sample, columns: Sequence[str]) -> pl.LazyFrame:
    if sample.kind == "parquet":
        return pl.scan_parquet(sample.path, glob=False).select(columns)
    if sample.kind == "arrow":
        return pl.scan_ipc(sample.path, glob=False).select(columns)
    # Streams, such as the files of Hugging Face datasets, are mapped, not read; the engine has no scan for them.
    with explained([sample]), pa.memory_map(str(sample.path)) as file:
        table = pa.ipc.open_stream(file).read_all().select(list(columns))
        table.validate(full=True)  # mapped bytes are believed: a wrong offset would read beyond them
    return cast(pl.DataFrame, pl.from_arrow(table)).lazy()


def id_text(column: str, dtype: pl.DataType) -> pl.Expr:
    """A column of ids as strings, null or empty where there is none; 17.0 is 17, since gaps make floats of numbers.

    Raises:
        DataError: when the column holds lists or structures.
    """
    if dtype.is_nested():
        raise DataError(f"column {column!r} holds lists or structures, not ids", "Name another column.")
    value = pl.col(column)
    if not dtype.is_float():
        return value.cast(pl.String)
    number = value.cast(pl.Float64).fill_nan(None)
    whole = number.cast(pl.Int64, strict=False)
    return pl.when(whole.cast(pl.Float64) == number).then(whole.cast(pl.String)).otherwise(number.cast(pl.String))


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
    for sample in samples:
        if sample.has_records:
            number, problem = next(bad_records(sample), (0, ""))
            if number:
                raise DataError(
                    f"{sample.path}: line {number} {problem}", "Correct or remove the line, or see --max-bad-rows."
                )
        elif sample.kind == "csv":
            _check_csv(sample)
    files = ", ".join(str(sample.path) for sample in samples)
    return DataError(f"cannot read {files}: {str(error).strip().splitlines()[0]}", "Check the file's contents.")


def bad_records(sample: Sample) -> Iterator[tuple[int, str]]:
    """The malformed lines of a file of records: their numbers from 1, and what is wrong."""
    parse = PARSERS[sample.kind]
    with open_bytes(sample.path) as file:
        for number, line in enumerate(file, 1):
            if not line.strip() or number - 1 in sample.skip:
                continue
            try:
                parse(line.removeprefix(BOM) if number == 1 else line)
            except MALFORMED as error:
                yield number, problem_with(sample.kind, error)


def _check_csv(sample: Sample) -> None:
    with open_bytes(sample.path) as file:
        csv.field_size_limit(_FIELD)
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        if len(sample.separator) > 1:
            return
        rows = csv.reader(
            text,
            delimiter=sample.separator,
            strict=True,
            quoting=csv.QUOTE_MINIMAL if sample.quoted else csv.QUOTE_NONE,
        )
        try:
            for row in rows:
                if len(row) > len(sample.columns):
                    raise DataError(
                        f"{sample.path}: line {rows.line_num} has {len(row)} fields, the header {len(sample.columns)}",
                        'Put fields that hold the separator into double quotes ("...").',
                    )
        except csv.Error as error:
            raise DataError(
                f"{sample.path}: after line {rows.line_num}: {error}", "Double quotes have to be balanced."
            ) from error
        except UnicodeDecodeError:
            _check_encoding(sample)


def _check_encoding(sample: Sample) -> None:
    with open_bytes(sample.path) as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                found = line[error.start : error.start + 1]
                raise DataError(
                    f"{sample.path}: line {number} is not UTF-8 ({error.reason} {found!r})",
                    "Convert the file to UTF-8, for example with `iconv -f latin1 -t utf-8`.",
                ) from error
