"""What the options say of files."""

import pytest

from stages.artifacts.errors import UsageError
from stages.preprocess.options import PreprocessOptions
from stages.preprocess.sources.reading import Reading, reading_of_items, reading_of_log


def test_names_of_characters() -> None:
    options = PreprocessOptions(
        ["log"], separator="tab", quote="none", escape="\\", items_separator=r"\t", items_quote=""
    )
    assert reading_of_log(options) == Reading("\t", "", "\\")
    assert reading_of_items(options) == Reading("\t", "")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"separator": ""}, "--separator '' is no separator"),
        ({"quote": "ab"}, "--quote 'ab' is not one character"),
        ({"escape": "x"}, "--escape 'x' is not one character"),
        ({"columns": ["a", "a"]}, "--columns names a column twice"),
    ],
)
def test_what_cannot_be_meant(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        reading_of_log(PreprocessOptions(["log"], **options))  # type: ignore[arg-type]
