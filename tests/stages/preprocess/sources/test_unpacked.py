"""Files that unpack to far more than their size."""

import gzip

import pytest

from stages.artifacts.errors import DataError
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
