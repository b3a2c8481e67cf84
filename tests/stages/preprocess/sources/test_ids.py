"""One spelling of an id, and words that may stand for nothing."""

import polars as pl
import pytest

from stages.preprocess.sources.ids import BLANKS, DOUBTFUL, ROUNDED, doubtful, one_spelling


@pytest.mark.parametrize(
    ("text", "id"),
    [
        *(("17.0", "17"), ("17.00", "17"), ("-3.0", "-3"), ("007.0", "007"), ("0.0", "0")),
        *(
            ("17", "17"),
            ("17.5", "17.5"),
            ("a.0", "a.0"),
            (".0", ".0"),
            ("1.2.0", "1.2.0"),
            ("17.0 ", "17.0 "),
            ("", ""),
        ),
    ],
)
def test_whole_numbers_have_one_spelling(text: str, id: str) -> None:
    assert one_spelling(pl.Series([text, None])).to_list() == [id, None]


def test_doubtful_ids_are_counted() -> None:
    ids = pl.Series(["NULL", "NULL", "nan", "\\N", "u", " u", "1.23E+11", "1E5", "Nullify", "NA12", "x" * 40, ""])
    assert doubtful(ids) == {"NULL": 2, "nan": 1, "\\N": 1, ROUNDED: 1, BLANKS: 1}
    assert doubtful(pl.Series([" u", "1.2E+5", "n/a"]), texts=True) == {"n/a": 1}
    assert doubtful(pl.Series(["u", "v"])) == {}
    assert set(doubtful(pl.Series(DOUBTFUL))) == set(DOUBTFUL)
