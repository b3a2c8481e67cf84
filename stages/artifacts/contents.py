"""Fingerprints of what an artifact says, whatever else stands in its file.

Two tables have the same fingerprint when they have the same columns, in the same order, with the same values in the
same rows. Metadata, compression, row groups and the exact width of a type (``int64`` for ``int32``, plain lists for
fixed-size ones), in which tools differ, do not count.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stages.artifacts.errors import DataError
from stages.artifacts.pipeline import again

PREFIX = "content-sha256:"

_BLOCK = 1 << 20
_ROWS = 65_536
_NOT_CONTENT = {b"PARQUET:field_id"}


def content_fingerprint(path: Path, lineage_key: str) -> str:
    """The fingerprint ``"content-sha256:..."`` of an artifact: a Parquet, safetensors or JSON file.

    Args:
        path: the file.
        lineage_key: under which a JSON file says where it comes from; that does not count.

    Raises:
        DataError: when the file is missing, damaged, or not of its format.
        OSError: when it cannot be read.
    """
    read: dict[str, Callable[[], str]] = {
        ".parquet": lambda: _of_table(path),
        ".safetensors": lambda: _of_tensors(path),
        ".json": lambda: _of_json(path, lineage_key),
    }
    if path.suffix not in read:
        raise ValueError(f"{path} is not of a format that artifacts have")
    return PREFIX + read[path.suffix]()


def _of_table(path: Path) -> str:
    from stages.artifacts.tables import open_table

    with open_table(path) as file:
        schema = file.schema_arrow
        columns = [_Column(field) for field in schema]
        for batch in file.iter_batches(batch_size=_ROWS):
            for column, values in zip(columns, batch.columns, strict=True):
                column.add(values)
    return _joined([column.digest() for column in columns])


class _Column:
    """The digest of a column, whose parts are hashed apart so that it does not matter how rows come in chunks."""

    def __init__(self, field: pa.Field) -> None:
        told = {key: value for key, value in (field.metadata or {}).items() if key not in _NOT_CONTENT}
        self._name = [field.name, _kind(field.type), sorted((k.decode(), v.decode()) for k, v in told.items())]
        self._parts: list[Any] = []

    def add(self, values: pa.Array, depth: int = 0) -> None:
        """Take in further rows."""
        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        kind = _kind(values.type)
        if kind.startswith("list"):
            self._hash(2 * depth, pc.fill_null(pc.list_value_length(values), -1).cast(pa.int64()))
            self.add(values.flatten(), depth + 1)
        elif kind == "string":
            texts = values.cast(pa.large_binary())
            self._hash(2 * depth, pc.fill_null(pc.binary_length(texts), -1).cast(pa.int64()))
            self._update(2 * depth + 1, _bytes_of(texts.drop_null()))
        elif kind in ("int", "float", "bool"):
            width = {"int": pa.int64(), "float": pa.float32(), "bool": pa.uint8()}[kind]
            self._hash(2 * depth, values.is_valid().cast(pa.uint8()))
            self._hash(2 * depth + 1, values.drop_null().cast(width, safe=False))  # of uint64, the same bits
        else:
            for value in values.to_pylist():
                self._update(2 * depth, repr(value).encode())

    def digest(self) -> str:
        """Of all rows so far."""
        return _joined([json.dumps(self._name), *(part.hexdigest() for part in self._parts)])

    def _hash(self, part: int, values: pa.Array) -> None:
        self._update(part, np.ascontiguousarray(values.to_numpy(zero_copy_only=False)).view(np.uint8).data)

    def _update(self, part: int, data: Any) -> None:
        while len(self._parts) <= part:
            self._parts.append(hashlib.sha256())
        self._parts[part].update(data)


def _kind(kind: pa.DataType) -> str:
    """What a type is, without its width."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return f"list of {_kind(kind.value_type)}"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return "string"
    tests = {"int": pa.types.is_integer, "float": pa.types.is_floating, "bool": pa.types.is_boolean}
    return next((name for name, test in tests.items() if test(kind)), str(kind))


def _bytes_of(texts: pa.Array) -> Any:
    """The bytes of all texts, one after the other."""
    if not len(texts):
        return b""
    _, offsets, data = texts.buffers()
    bounds = np.frombuffer(offsets, np.int64)[texts.offset : texts.offset + len(texts) + 1]
    return memoryview(data)[bounds[0] : bounds[-1]] if data is not None else b""


def _of_tensors(path: Path) -> str:
    with path.open("rb") as file:
        header = _header(file, path)
        header.pop("__metadata__", None)
        digest = hashlib.sha256()
        while block := file.read(_BLOCK):
            digest.update(block)
    return _joined([json.dumps(header, sort_keys=True), digest.hexdigest()])


def _header(file: BinaryIO, path: Path) -> dict[str, Any]:
    try:
        size = int.from_bytes(file.read(8), "little")
        if size > path.stat().st_size:
            raise ValueError("its header is longer than the file")
        header = json.loads(file.read(size))
        if not isinstance(header, dict):
            raise ValueError("its header is not an object")
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not a readable safetensors file: {error}", again(path)) from error
    return header


def _of_json(path: Path, lineage_key: str) -> str:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not a readable JSON file: {error}", again(path)) from error
    if isinstance(value, dict):
        value.pop(lineage_key, None)
    return _joined([json.dumps(value, sort_keys=True)])


def _joined(parts: list[str]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
