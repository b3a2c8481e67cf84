"""Columns of Parquet and Arrow files that hold bytes, and which column of a file cannot be read."""

from collections.abc import Callable

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from stages.artifacts.errors import DataError
from stages.preprocess.sources.sample import Sample

_UUID_BYTES = 16
_UUID = "extension<arrow.uuid>"


def binary_as_text(frame: pl.LazyFrame, sample: Sample) -> pl.LazyFrame:
    """Columns of bytes as text: UUIDs as they are written, other bytes as UTF-8.

    Args:
        frame: some columns of the file.
        sample: the file.

    Raises:
        DataError: when a column holds neither, naming it and its type.
    """
    types = frame.collect_schema()
    named = [pl.col(name).ext.storage() for name, dtype in types.items() if isinstance(dtype, pl.BaseExtension)]
    if named:  # JSON of Arrow, for example, is text with a name
        frame = frame.with_columns(named)
        types = frame.collect_schema()
    columns = [name for name, dtype in types.items() if dtype == pl.Binary]
    if not columns:
        return frame
    known = arrow_schema(sample)
    texts = []
    for name in columns:
        kind = str(known.field(name).type)
        if kind != _UUID and _is_text(frame, name):
            texts.append(pl.col(name).cast(pl.String))
        elif kind in (_UUID, f"fixed_size_binary[{_UUID_BYTES}]"):
            texts.append(_uuid(name))
        else:
            raise DataError(
                f"{sample.path}: column {name!r} holds bytes that are no text ({kind})",
                "Name another column, or write this one again as text, numbers or UUIDs.",
            )
    return frame.with_columns(texts)


def arrow_schema(sample: Sample) -> pa.Schema:
    """The schema of a Parquet or Arrow file as Arrow has it."""
    if sample.kind == "parquet":
        return pq.read_schema(sample.source)
    with pa.memory_map(str(sample.source)) as file:
        opened = pa.ipc.open_file(file) if sample.kind == "arrow" else pa.ipc.open_stream(file)
        return opened.schema


def unreadable_column(sample: Sample) -> str | None:
    """The first column, with its type, that cannot be read although others can; ``None`` for a damaged file."""
    try:
        known = arrow_schema(sample)
    except (pa.ArrowException, OSError):
        return None
    failed = [name for name in known.names if not _is_readable(sample, name)]
    if not failed or len(failed) == len(known.names):
        return None
    return f"{failed[0]!r} of type {known.field(failed[0]).type}"


def _is_readable(sample: Sample, column: str) -> bool:
    if sample.kind not in ("parquet", "arrow"):
        return True
    scan: Callable[..., pl.LazyFrame] = pl.scan_parquet if sample.kind == "parquet" else pl.scan_ipc
    try:
        scan(sample.source, glob=False).select(column).collect(engine="streaming")
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
        return False
    return True


def _is_text(frame: pl.LazyFrame, column: str) -> bool:
    try:
        frame.select(pl.col(column).cast(pl.String).str.len_bytes().max()).collect(engine="streaming")
    except pl.exceptions.PolarsError:
        return False
    return True


def _uuid(column: str) -> pl.Expr:
    digits = pl.col(column).bin.encode("hex")
    parts = [digits.str.slice(start, length) for start, length in ((0, 8), (8, 4), (12, 4), (16, 4), (20, 12))]
    return pl.concat_str(parts, separator="-").alias(column)
