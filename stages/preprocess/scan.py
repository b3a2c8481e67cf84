"""Lazy reading of any kind of file, and errors of the engine turned into errors a person can act on."""

import csv
import glob
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from stages.artifacts.errors import DataError
from stages.preprocess.sample import Sample, open_bytes


def scan(sample: Sample, columns: Sequence[str]) -> pl.LazyFrame:
    """Scan some columns of a file: strings from text files, the file's own types from Parquet.

    JSON values that are not strings arrive as their JSON text, so mixed types are no error.
    """
    if sample.kind == "parquet":
        return pl.scan_parquet(sample.path, glob=False).select(columns)
    if sample.kind == "jsonl":
        return pl.scan_ndjson(no_glob(sample.path), schema=dict.fromkeys(columns, pl.String))
    # Spaces around the names in the header are not part of the names.
    return pl.scan_csv(
        sample.path,
        separator=sample.separator,
        infer_schema=False,
        glob=False,
        with_column_names=lambda names: [name.strip() for name in names],
    ).select(columns)


def schema(sample: Sample) -> pl.Schema:
    """The types of all columns of a file; of text files, as the whole file suggests them.

    Raises:
        DataError: when the file is damaged or malformed.
    """
    with explained([sample]):
        if sample.kind == "parquet":
            return pl.scan_parquet(sample.path, glob=False).collect_schema()
        if sample.kind == "jsonl":
            return pl.scan_ndjson(no_glob(sample.path), infer_schema_length=None).collect_schema()
        frame = pl.scan_csv(sample.path, separator=sample.separator, infer_schema_length=None, glob=False)
        return frame.rename(str.strip).collect_schema()


def scan_lines(path: Path, line: str, row: str) -> pl.LazyFrame:
    """Scan the lines of a text file that are not blank, with their numbers from 0."""
    lines = pl.scan_lines(path, name=line, row_index_name=row, glob=False)
    text = pl.col(line).str.strip_chars_start("\ufeff")
    return lines.with_columns(text).filter(text.str.strip_chars() != "")


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
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise _explain(error, list(samples)) from error


def _explain(error: BaseException, samples: list[Sample]) -> DataError:
    """Find the malformed row by reading again, slowly; only ever done after a failure."""
    for sample in samples:
        if sample.kind == "jsonl":
            _check_json_lines(sample)
        elif sample.kind == "csv":
            _check_csv(sample)
    files = ", ".join(str(sample.path) for sample in samples)
    return DataError(f"cannot read {files}: {str(error).strip().splitlines()[0]}", "Check the file's contents.")


def _check_json_lines(sample: Sample) -> None:
    with open_bytes(sample.path) as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                whole = isinstance(json.loads(line), dict)
                problem = "is not a JSON object"
            except ValueError as error:
                whole, problem = False, f"is not JSON: {error}"
            if not whole:
                raise DataError(f"{sample.path}: line {number} {problem}", "Correct or remove the line.")


def _check_csv(sample: Sample) -> None:
    with open_bytes(sample.path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        rows = csv.reader(text, delimiter=sample.separator, strict=True)
        try:
            for row in rows:
                if len(row) > len(sample.columns):
                    raise DataError(
                        f"{sample.path}: line {rows.line_num} has {len(row)} fields, the header {len(sample.columns)}",
                        'Put fields that hold the separator into double quotes ("...").',
                    )
        except (csv.Error, UnicodeDecodeError) as error:
            raise DataError(
                f"{sample.path}: after line {rows.line_num}: {error}", "The file has to be UTF-8 with balanced quotes."
            ) from error
