"""Files in every container and encoding that is read, and those that are not."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from stages.artifacts.errors import DataError
from stages.preprocess.sources.preparation import FOLDER

Run = Callable[..., Any]
LOG = b"user_id,item_id,timestamp\nu,B,2\nu,A,1\n"
RECORDS = b'{"user_id": "u", "item_id": "B", "timestamp": 2}\n{"user_id": "u", "item_id": "A", "timestamp": 1}\n'
EXPECTED = {"u": ["A", "B"]}


def zipped(*names: str) -> Callable[[bytes], bytes]:
    def packed(data: bytes) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in names:
                archive.writestr(name, data)
        return buffer.getvalue()

    return packed


def packed_by_another(data: bytes) -> bytes:
    """A zip of Deflate64, which Windows makes of large files."""
    deflate, deflate64 = b"\x08\x00", b"\x09\x00"
    archive = bytearray(zipped("log.csv")(data))
    for header, place in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        at = archive.index(header) + place
        assert archive[at : at + 2] == deflate
        archive[at : at + 2] = deflate64
    return bytes(archive)


def zstd(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    packed: bytes = sink.getvalue().to_pybytes()
    return packed


def tarred(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=tarfile.USTAR_FORMAT) as archive:
        info = tarfile.TarInfo("log.csv")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def parquet(_: bytes) -> bytes:
    buffer = io.BytesIO()
    pl.read_csv(LOG).write_parquet(buffer)
    return gzip.compress(buffer.getvalue())


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "gzip, two members": lambda data: gzip.compress(data[:40]) + gzip.compress(data[40:]),
    "bzip2": bz2.compress,
    "bzip2, two streams": lambda data: bz2.compress(data[:40]) + bz2.compress(data[40:]),
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    "zstd": zstd,
    "zstd, two frames": lambda data: zstd(data[:40]) + zstd(data[40:]),
    "zip": zipped("log.csv"),
    "zip of macOS": zipped("log.csv", "__MACOSX/._log.csv"),
    "UTF-16": lambda data: data.decode().encode("utf-16"),
    "UTF-16 big-endian in gzip": lambda data: gzip.compress(("\ufeff" + data.decode()).encode("utf-16-be")),
    "old line ends": lambda data: data.replace(b"\n", b"\r"),
    "Parquet in gzip": parquet,
}


@pytest.mark.parametrize("data", [LOG, RECORDS], ids=["table", "records"])
@pytest.mark.parametrize("container", PACKED)
def test_containers(run: Run, tmp_path: Path, container: str, data: bytes) -> None:
    path = tmp_path / "log"
    path.write_bytes(PACKED[container](data))
    items = tmp_path / "items"
    items.write_bytes(PACKED[container](data) if "Parquet" not in container else RECORDS)
    made = run(path, items=[items], items_id_column="item_id", views=["user_id"], k_core=0)
    assert made.users == EXPECTED
    assert made.items == {"A": {"user_id": "u"}, "B": {"user_id": "u"}}
    assert not (tmp_path / "work" / FOLDER).exists()


BROKEN: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "xz": (lambda data: lzma.compress(data * 99)[:-20], "the xz file is truncated"),
    "bzip2": (lambda data: bz2.compress(data * 99)[:-20], "the bzip2 file is truncated"),
    "zstd": (lambda data: zstd(data * 99)[:-8], r"the zstd file is damaged \(Truncated"),
    "damaged xz": (lambda data: lzma.compress(data)[:30] + bytes(60), "the xz file is damaged"),
    "damaged zip": (lambda data: zipped("log.csv")(data)[:-30], "the zip file is damaged"),
    "zip of Deflate64": (packed_by_another, "the zip file cannot be unpacked"),
    "zip of two": (zipped("a.csv", "b.csv"), r"holds 2 files \(a\.csv, b\.csv\)"),
    "zip of nothing": (zipped("a/"), "holds no file"),
    "spreadsheet": (zipped("[Content_Types].xml", "xl/workbook.xml"), "is a workbook of a spreadsheet"),
    "tar": (tarred, r"is a tar archive \(of 'log\.csv'"),
}


@pytest.mark.parametrize("container", BROKEN)
def test_containers_that_cannot_be_read(run: Run, tmp_path: Path, container: str) -> None:
    pack, message = BROKEN[container]
    path = tmp_path / "log.csv"
    path.write_bytes(pack(LOG))
    with pytest.raises(DataError, match=rf"log\.csv.* {message}") as caught:
        run(path, k_core=0)
    assert caught.value.hint
