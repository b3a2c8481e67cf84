import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.preprocess.cluster.plan import bounds_of, partitions_of, ranges_of, rows_at_once
from stages.preprocess.sources.sample import Sample


def text_of(path: Path, lines: int, size: int) -> Sample:
    """A file that begins with so many lines of 100 bytes, and has a hole after them, which takes no room."""
    text = (b"u" * 99 + b"\n") * lines
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    with path.open("r+b") as file:
        file.truncate(size)
    return Sample(path, "csv", ("user",))


@pytest.mark.parametrize(
    ("name", "size", "partitions"),
    [
        ("log.csv", 100, 2),
        ("log.csv", 100 * 2_600_000, 6),
        ("log.csv.gz", 100 * 2_600_000, 26),
        ("log.csv", 1 << 40, 1_024),
    ],
)
def test_partitions_by_the_rows_that_a_text_may_have(tmp_path: Path, name: str, size: int, partitions: int) -> None:
    assert partitions_of([text_of(tmp_path / name, 700, size)]) == partitions


def test_parquet_says_how_many_rows_it_has(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    pq.write_table(pa.table({"user": pa.nulls(1_200_001, pa.string())}), path)
    assert partitions_of([Sample(path, "parquet", ("user",))]) == 3
    assert partitions_of([Sample(path, "parquet", ("user",))] * 2) == 5


def test_blocks_grow_with_the_partitions_and_stay_bounded() -> None:
    assert [rows_at_once(partitions) for partitions in (2, 100, 1_024)] == [500_000, 819_200, 4_000_000]


def test_ranges_of_users() -> None:
    assert [ranges_of(users, 64) for users in (0, 64, 65, 10**9)] == [1, 1, 2, 256]


def test_bounds_cut_a_sample_into_equal_parts() -> None:
    names = [f"u{number:03}" for number in range(100)]
    assert bounds_of(names[::-1], 4) == ["u025", "u050", "u075"]
    assert bounds_of(names, 1) == []
    assert bounds_of([], 4) == []
    assert bounds_of(["a", "b"], 5) == ["b"]  # no range begins with the first
