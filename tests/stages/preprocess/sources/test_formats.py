"""Which format files have: the one that is named, or the first that recognises them."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from stages.artifacts.errors import DataError, UsageError
from stages.preprocess.items.readers import ITEM_READERS
from stages.preprocess.logs.readers import LOG_READERS
from stages.preprocess.sources.formats import choose_reader
from stages.preprocess.sources.sample import Sample


@dataclass(frozen=True)
class Columns:
    """Recognises a file by one of its columns."""

    name: str
    column: str = ""
    summary: str = ""

    def recognises(self, sample: Sample) -> bool:
        return not self.column or self.column in sample.columns


READERS = [Columns("first", "a"), Columns("second", "b"), Columns("any")]


def sample(*columns: str) -> Sample:
    return Sample(Path(f"{'-'.join(columns)}.csv"), "csv", columns)


@pytest.mark.parametrize(
    ("columns", "format", "name"),
    [("ab", "auto", "first"), ("b", "auto", "second"), ("c", "auto", "any"), ("ab", "second", "second")],
)
def test_the_first_that_recognises_the_file_unless_one_is_named(columns: str, format: str, name: str) -> None:
    assert choose_reader(READERS, [sample(*columns)], format, "--format").name == name


def test_unknown_names_and_mixed_files_are_refused() -> None:
    with pytest.raises(UsageError, match="there is no format 'third'\nChoose --format from auto, first, second, any"):
        choose_reader(READERS, [sample("a")], "third", "--format")
    with pytest.raises(DataError, match=r"different formats \(a\.csv: first, b\.csv: second\)"):
        choose_reader(READERS, [sample("a"), sample("b")], "auto", "--format")


@pytest.mark.parametrize("readers", [LOG_READERS, ITEM_READERS])
def test_every_file_has_a_format(readers: tuple[Columns, ...]) -> None:
    assert choose_reader(readers, [sample("anything")], "auto", "--format").name == "table"
    assert len({reader.name for reader in readers}) == len(readers)
