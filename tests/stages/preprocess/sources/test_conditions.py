import polars as pl
import pytest

from stages.artifacts.errors import UsageError
from stages.preprocess.sources.conditions import read_condition
from stages.preprocess.sources.sample import take_sample

EXAMPLE = "event = 'purchase'"


def test_a_condition_knows_its_columns_and_holds_by_row():
    condition = read_condition("event = 'buy' AND (price > 3 OR event = 'gift')", EXAMPLE)
    assert condition.columns == ("event", "price")
    texts = pl.DataFrame({"event": ["buy", "view", "buy", None], "price": ["4", "5", "3", "9"]})
    types = pl.Schema({"event": pl.String(), "price": pl.Int64()})
    rows = texts.select(condition.inputs(texts.schema, types))
    assert rows.schema == types
    assert condition.holds(rows, types).to_list() == [True, False, False, False]  # null holds no more than in SQL


def test_texts_of_true_and_false_are_such():
    condition = read_condition("sold", EXAMPLE)
    texts = pl.DataFrame({"sold": ["True", "false", None]})
    types = pl.Schema({"sold": pl.Boolean()})
    assert condition.holds(texts.select(condition.inputs(texts.schema, types)), types).to_list() == [True, False, False]


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("event =", "is no SQL expression"),
        ("event = 'buy", "is no SQL expression"),
        ("1 = 1", "names no column\nFor example --where \"event = 'purchase'\""),
    ],
)
def test_what_is_no_condition_is_refused(where, said):
    with pytest.raises(UsageError, match=said):
        read_condition(where, EXAMPLE)


@pytest.mark.parametrize(
    ("where", "said"),
    [("price > 'much'", "does not fit the columns.*\nHere price is Int64"), ("price + 1", "gives Int64, not true")],
)
def test_what_does_not_fit_the_columns_is_refused(where, said):
    types = pl.Schema({"price": pl.Int64()})
    with pytest.raises(UsageError, match=said):
        read_condition(where, EXAMPLE).holds(pl.DataFrame({"price": [1, 2]}), types)


def test_a_column_that_the_file_lacks_is_named(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("user,event\na,buy\n")
    condition = read_condition("event = purchase", EXAMPLE)
    with pytest.raises(UsageError, match="no column 'purchase'; there are 'user', 'event'\nQuote it"):
        condition.require_columns(take_sample(path), "Quote it.")
