from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from amazon_files import review

from stages.artifacts.errors import DataError
from stages.preprocess.cluster.blocks import FileRead, added, packed, read_blocks, unpacked
from stages.preprocess.columns import ITEM, TIME, USER
from stages.preprocess.logs.log import LogColumns
from stages.preprocess.logs.readers.amazon import AMAZON_2023
from stages.preprocess.sources.sample import take_sample

COLUMNS = LogColumns("user_id", "parent_asin", "timestamp")


def read(path: Path, partitions: int, rows: int) -> tuple[list[pl.DataFrame], FileRead]:
    *blocks, told = read_blocks(AMAZON_2023, 0, [take_sample(path)], COLUMNS, partitions, rows)
    assert isinstance(told, FileRead)
    return [unpacked(block) for block in blocks if isinstance(block, bytes)], told


def test_a_user_is_in_one_partition_and_rows_keep_their_order(write: Callable[..., Path]) -> None:
    path = write("log.jsonl.gz", [review(f"u{n % 17}", f"i{n}", 1_000 + n) for n in range(250)])
    blocks, told = read(path, 3, 100)
    assert len(blocks) == 9  # three partitions, three times up to a hundred rows
    assert (told.rows, told.kept, told.timed) == (250, 250, 250)
    partitions = [pl.concat(blocks[number::3]) for number in range(3)]
    users = [set(partition[USER]) for partition in partitions]
    assert sum(map(len, users)) == len(set.union(*users)) == 17
    for partition in partitions:
        assert partition[TIME].is_sorted()
    assert sorted(name for partition in partitions for name in partition[ITEM]) == sorted(f"i{n}" for n in range(250))


def test_the_same_file_gives_the_same_blocks(write: Callable[..., Path]) -> None:
    path = write("log.jsonl", [review(f"u{n % 17}", f"i{n}", n) for n in range(250)])
    first, again = (read(path, 4, 60)[0] for _ in range(2))
    assert [packed(block) for block in first] == [packed(block) for block in again]


def test_rows_that_are_no_interactions_are_counted(write: Callable[..., Path]) -> None:
    rows = [review("u", "i", 5), review("", "i", 6), review("u", "j", None), review("u", "k", "7.5")]
    blocks, told = read(write("log.jsonl", rows), 1, 100)
    assert told.dropped["rows without a user or an item"] == 1
    assert (blocks[0].height, told.timed) == (3, 2)
    assert (told.scale.number, told.scale.dates) == (1_000, False)


def test_a_malformed_file_is_told_of_by_line(write: Callable[..., Path]) -> None:
    with pytest.raises(DataError, match="line 120 "):
        read(write("log.jsonl", [*([review("u", "i", 5)] * 119), "{"]), 2, 100)


def test_counts_of_two_files_add_up() -> None:
    assert added({"a": 1, "b": 2}, {"b": 3, "c": 4}) == {"a": 1, "b": 5, "c": 4}
    one, other = FileRead(3, 2, {"a": 1}, timed=1), FileRead(5, 5, {"a": 2}, timed=4)
    assert one.merged(other) == FileRead(8, 7, {"a": 3}, timed=5)
