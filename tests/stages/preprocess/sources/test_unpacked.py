"""Files that unpack to far more than their size."""

import bz2
import gzip
import io
import lzma
import zipfile

import pyarrow as pa
import pytest

from stages.artifacts.errors import DataError
from stages.preprocess.sources import unpacked
from stages.preprocess.sources.preparation import Preparation
from stages.preprocess.sources.sample import take_sample
from stages.preprocess.sources.unpacked import LINE_BYTES, UNPACKED_BYTES

ROW = b"u1,i1,1\n"
LONG = b"x" * (LINE_BYTES + 1) + b"\n"


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"user,item,time\n" + ROW + LONG, 3),
        (LONG, 1),
        (b"user,item,time\n" + ROW * 300_000 + LONG.rstrip(b"\n"), 300_002),
    ],
    ids=["soon", "at once", "late and without an end"],
)
def test_a_line_that_would_burst_memory_is_named(tmp_path, content, line):
    path = tmp_path / "log.csv.gz"
    path.write_bytes(gzip.compress(content, 1, mtime=0))
    assert path.stat().st_size < len(content) / 100
    with pytest.raises(DataError, match=rf"log\.csv\.gz: line {line:,} unpacks to more than 64 MiB"):
        take_sample(path)


def test_repetitive_files_of_short_lines_are_read(tmp_path):
    path = tmp_path / "log.csv.gz"
    content = b"user,item,time\n" + ROW * 300_000
    path.write_bytes(gzip.compress(content, mtime=0))
    assert path.stat().st_size < len(content) / 100
    assert take_sample(path).columns == ("user", "item", "time")


def test_short_lines_that_would_burst_memory_are_refused(tmp_path):
    path = tmp_path / "log.csv.gz"
    content = b"user,item,time\n" + b"u,i,1\n" * (UNPACKED_BYTES // 6 + 200_000)
    path.write_bytes(gzip.compress(content, 1, mtime=0))
    assert path.stat().st_size < len(content) / 100
    with pytest.raises(DataError, match=r"log\.csv\.gz unpacks to more than 100 times its size .129 MiB by line 22,"):
        take_sample(path)


def test_a_later_member_with_a_harmless_trailer_hides_nothing(tmp_path):
    path = tmp_path / "log.csv.gz"
    path.write_bytes(gzip.compress(LONG, mtime=0) + gzip.compress(ROW, mtime=0))
    with pytest.raises(DataError, match="line 1 unpacks"):
        take_sample(path)


def zipped(content: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("log.csv", content)
    return made.getvalue()


PACKED = {
    "bz2": bz2.compress,
    "xz": lambda content: lzma.compress(content, preset=0),
    "lzma": lambda content: lzma.compress(content, lzma.FORMAT_ALONE, preset=0),
    "zst": lambda content: pa.compress(content, "zstd", asbytes=True),
    "lz4": lambda content: pa.compress(content, "lz4", asbytes=True),
    "zip": zipped,
}


@pytest.fixture
def small(monkeypatch):
    """Bounds of a few MiB, so that what breaks them is soon made."""
    monkeypatch.setattr(unpacked, "UNPACKED_BYTES", 2 << 20)
    monkeypatch.setattr(unpacked, "LINE_BYTES", 1 << 20)


HEAD = b"user,item,time\n" + b"".join(b"u%d,i%d,%d\n" % (n, n * 7 % 31, n * n % 9973) for n in range(2_000))
TABLE = b"PAR1" + b"\0" * (4 << 20)


@pytest.mark.parametrize("kind", PACKED)
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (HEAD + ROW * 600_000, "unpacks to more than 100 times its size"),
        (HEAD + b"x" * (6 << 20), "line 2,002 unpacks to more than 1 MiB"),
        (TABLE, "unpacks to more than"),
    ],
    ids=["lines", "a line", "a table"],
)
def test_bombs_of_every_kind(kind, content, said, small, tmp_path):
    path = tmp_path / f"log.csv.{kind}"
    path.write_bytes(PACKED[kind](content))
    assert path.stat().st_size < len(content) / 100
    preparation = Preparation(tmp_path / "work")
    with pytest.raises(DataError, match=said) as raised:
        preparation.ready(take_sample(path))
    preparation.close()
    assert path.name in raised.value.message and raised.value.hint
    assert not [left for left in (tmp_path / "work").rglob("*") if left.is_file()]


@pytest.mark.parametrize("kind", PACKED)
def test_honest_files_of_every_kind_are_read(kind, small, tmp_path):
    path = tmp_path / f"log.csv.{kind}"
    path.write_bytes(PACKED[kind](HEAD + ROW * 200_000))  # far more than a hundred times its size, but small
    preparation = Preparation(tmp_path / "work")
    assert preparation.ready(take_sample(path)).rows == 202_000
    preparation.close()
