"""The choice of a log's format and columns."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from recording import Recorder

from stages.artifacts.errors import DataError, UsageError
from stages.frame.reporter import Reporter
from stages.preprocess.logs.source import LogSource, find_log
from stages.preprocess.options import PreprocessOptions
from stages.preprocess.sources.bad_rows import BadRows
from stages.preprocess.sources.finder import Finder
from stages.preprocess.sources.preparation import Preparation

Write = Callable[..., Path]
Find = Callable[..., LogSource]
HEADER = "user_id,item_id,timestamp,rating"


@pytest.fixture
def preparation(tmp_path: Path) -> Iterator[Preparation]:
    made = Preparation(tmp_path / "work")
    yield made
    made.close()


@pytest.fixture
def find(tmp_path: Path, preparation: Preparation) -> Find:
    def found(*inputs: Path, **options: Any) -> LogSource:
        return find_log(PreprocessOptions(inputs, **options), Finder(tmp_path / "work", 0, preparation))

    return found


def test_a_table_is_recognised_announced_and_recorded(find: Find, write: Write) -> None:
    source, listener = find(write("log.csv", [HEADER, "u,A,1,5"])), Recorder()
    assert source.recorded() == {
        "inputs": ["log.csv"],
        "format": "table",
        "user_column": "user_id",
        "item_column": "item_id",
        "time_column": "timestamp",
        "rating_column": None,  # it is not read
        "rating_min": None,
    }
    source.announce(listener)
    assert listener.said == [f"log.csv: read as table ({source.reader.summary})"]


def test_columns_and_format_are_those_that_the_user_names(find: Find, write: Write) -> None:
    log = write("log.csv", ["who,what,when,stars", "u,A,1,5"])
    names = {"user_column": "who", "item_column": "what", "time_column": "when"}
    found = find(log, **names, rating_column="stars", rating_min=3.0, format="table").recorded()
    assert (found["user_column"], found["rating_column"], found["rating_min"]) == ("who", "stars", 3.0)
    with pytest.raises(DataError, match=r"log\.csv: there is no column 'whom'; there are 'who', 'what'"):
        find(log, **{**names, "user_column": "whom"})


def test_a_published_split_is_found_from_its_training_file(
    find: Find, write: Write, publish: Callable[..., Path]
) -> None:
    train = publish(["u,A,5.0,1,"], ["u,B,5.0,2,A"], ["u,C,5.0,3,A B"])
    source = find(train)
    assert source.reader.name == "amazon-2023-benchmark"
    assert source.recorded()["inputs"] == ["Tools.train.csv", "Tools.valid.csv", "Tools.test.csv"]


def test_a_key_that_comes_late_is_found(find: Find, write: Write) -> None:
    rows = [{"user_id": "u", "item_id": f"i{n}"} for n in range(300)]
    assert find(write("early.jsonl", rows)).columns.time is None
    rows.append({"user_id": "u", "item_id": "A", "timestamp": 5})
    assert find(write("late.jsonl", rows)).columns.time == "timestamp"


def test_reading_passes_over_the_malformed_lines_that_are_allowed(
    find: Find, write: Write, preparation: Preparation
) -> None:
    rows = [{"user_id": "u", "item_id": item, "timestamp": n} for n, item in enumerate("AB")]
    source, bad_rows = find(write("log.jsonl", [*rows, "{"]), max_bad_rows=1), BadRows(1, preparation)
    assert source.read(bad_rows, Reporter()).frame.height == 2
    assert bad_rows.found == {"log.jsonl": [3]}


def test_a_file_is_named_once(find: Find, write: Write) -> None:
    log = write("log.csv", [HEADER, "u,A,1,5"])
    with pytest.raises(UsageError, match=r"log\.csv"):
        find(log, log)


def test_columns_that_look_like_those_that_are_missing_are_named(find: Find, write: Write) -> None:
    log = write("log.csv", ["customer,sku,bought_at", "u,A,2024-05-31"])
    with pytest.raises(DataError) as caught:
        find(log)
    assert "there is no column 'user_id'; there are 'customer', 'sku', 'bought_at'" in caught.value.message
    looks = "It looks like --user-column customer --item-column sku --time-column bought_at; or else: Name the column"
    assert str(caught.value.hint).startswith(looks)
    with pytest.raises(DataError, match="It looks like --item-column sku --time-column bought_at; or"):
        find(log, user_column="customer", time_column="when")
    with pytest.raises(DataError, match="'x', 'y'\nName the column"):
        find(write("other.csv", ["x,y", "1,2"]))


def test_a_time_that_is_not_read_is_noticed(find: Find, write: Write) -> None:
    source = find(write("log.csv", ["user_id,item_id,bought_at", "u,A,2024-05-31"]))
    assert (source.columns.time, source.time_like) == (None, "bought_at")
    assert find(write("bare.csv", ["user_id,item_id,note", "u,A,x"])).time_like is None
    assert find(write("timed.csv", [HEADER, "u,A,1,5"])).time_like is None
