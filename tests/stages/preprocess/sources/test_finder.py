import lzma
from collections.abc import Iterator
from pathlib import Path

import pytest

from stages.artifacts.errors import DataError, UsageError
from stages.preprocess.sources.finder import Finder
from stages.preprocess.sources.preparation import Preparation
from stages.preprocess.sources.reading import AS_IT_IS, Reading

LOG = b"user_id,item_id\nu,a\n"
RECORDS = b'{"item_id": "a"}\n' * 150 + b'{"item_id": "b", "title": "saw"}\n'


@pytest.fixture
def finder(tmp_path: Path) -> Iterator[Finder]:
    preparation = Preparation(tmp_path / "work")
    yield Finder(tmp_path / "work", 1 << 20, preparation)
    preparation.close()


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A folder with parts of a log by day, and what is none."""
    folder = tmp_path / "raw"
    for day in (1, 2):
        (folder / f"day={day}").mkdir(parents=True)
        (folder / f"day={day}" / "log.csv").write_bytes(LOG)
    (folder / "picture.png").write_bytes(b"x")
    return folder


def test_files_of_a_folder_are_looked_at_with_what_its_names_say(finder: Finder, raw: Path) -> None:
    samples = finder.samples([raw], "log", AS_IT_IS)
    assert [sample.path for sample in samples] == [raw / "day=1" / "log.csv", raw / "day=2" / "log.csv"]
    assert [sample.columns for sample in samples] == [("user_id", "item_id", "day")] * 2
    assert [sample.folders for sample in samples] == [(("day", "1"),), (("day", "2"),)]
    [message] = finder.passed_over.messages
    assert message == f"{raw}: passed over picture.png: no known kind of file; name it to have it read"


def test_what_the_user_says_holds_for_each_file(finder: Finder, raw: Path) -> None:
    reading = Reading(columns=("a", "b"), header=False)
    for sample in finder.samples([raw / "day=2" / "log.csv", str(raw / "day=1" / "log.csv")], "log", reading):
        assert (sample.columns, sample.reading) == (("a", "b"), reading)


def test_what_cannot_be_read_is_told(finder: Finder, raw: Path) -> None:
    path = raw / "day=1" / "log.csv"
    with pytest.raises(UsageError, match=r"log\.csv is named twice"):
        finder.samples([path, raw], "log", AS_IT_IS)
    with pytest.raises(DataError, match=r"none\.csv does not exist"):
        finder.samples([path, raw / "none.csv"], "log", AS_IT_IS)


@pytest.mark.parametrize("packed", [False, True])
def test_keys_of_all_records_are_found(finder: Finder, tmp_path: Path, packed: bool) -> None:
    path = tmp_path / "items.jsonl"
    path.write_bytes(lzma.compress(RECORDS) if packed else RECORDS)
    [sample] = finder.samples([path], "items", AS_IT_IS)
    assert sample.columns == ("item_id",)
    whole = finder.with_all_keys(sample)
    assert whole.columns == ("item_id", "title")
    assert (whole.path, whole.source) == (path, path)


def test_tables_stay_as_they_are(finder: Finder, raw: Path) -> None:
    [sample] = finder.samples([raw / "day=1" / "log.csv"], "log", AS_IT_IS)
    assert finder.with_all_keys(sample) is sample
