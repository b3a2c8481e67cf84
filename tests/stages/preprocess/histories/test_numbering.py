import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.preprocess.histories import numbering
from stages.preprocess.histories.numbering import encode, numbers_in, ranks


@given(st.lists(st.text(max_size=3), min_size=1, max_size=60))
def test_numbers_stand_for_their_strings(values: list[str]) -> None:
    codes, distinct = encode(pl.Series(values, dtype=pl.String))
    assert distinct.gather(codes).to_list() == values
    assert distinct.to_list() == list(dict.fromkeys(values))


@given(st.sets(st.text(max_size=3), min_size=1, max_size=60))
def test_ranks_are_those_of_the_bytes(values: set[str]) -> None:
    places, ordered = ranks(pl.Series(list(values), dtype=pl.String))
    assert ordered.to_list() == sorted(values, key=str.encode)
    assert ordered.gather(places).to_list() == list(values)


@given(
    st.text(max_size=12),
    st.sets(st.text(alphabet="\0a\u00e9\U0001f600", min_size=0, max_size=12), min_size=0, max_size=60),
)
def test_ranks_of_strings_that_begin_alike(begin: str, ends: set[str]) -> None:
    values = [begin + end for end in ends]
    places, ordered = ranks(pl.Series(values, dtype=pl.String))
    assert ordered.to_list() == sorted(values, key=str.encode)
    assert ordered.gather(places).to_list() == values


def test_ranks_of_a_part_of_a_column() -> None:
    column = pl.concat([pl.Series(["z" * 20, "b", "a"]), pl.Series(["c" * 20, "c", "d"])], rechunk=False)[1:5]
    places, ordered = ranks(column)
    assert ordered.to_list() == ["a", "b", "c", "c" * 20]
    assert ordered.gather(places).to_list() == column.to_list()


def test_rows_of_a_user_that_stand_together() -> None:
    ids = pl.Series(["b"] * 5 + ["a"] * 5 + ["b"] * 3)
    codes, distinct = encode(ids)
    assert distinct.len() == 2
    assert distinct.gather(codes).equals(ids)


class _Alike(pl.Series):
    """Strings that all have the same hash, but for one seed and for that of the check."""

    def hash(self, seed: int = 0, *rest: int | None) -> pl.Series:
        found = pl.Series.hash(self, seed)
        return found if seed in (1, numbering._SEEDS) else pl.zeros(len(found), pl.UInt64, eager=True)


def test_strings_that_share_a_hash_are_told_apart_by_another_seed() -> None:
    ids = ["x", "y", "z", "y"]
    codes, distinct = encode(_Alike(ids))
    assert distinct.gather(codes).to_list() == ids


def test_strings_that_cannot_be_told_apart_are_no_silent_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbering, "_SEEDS", 1)
    with pytest.raises(AssertionError):
        encode(_Alike(["x", "y", "z"]))


def test_numbers_are_small_integers() -> None:
    assert encode(pl.Series(["x", "y"]))[0].dtype == np.uint32


def test_numbers_in_a_catalogue() -> None:
    found = numbers_in(pl.Series(["b", "a", "ü"]), pl.Series(["ü", "c", "b", "a"]))
    assert found.tolist() == [3, 0, 1, 2]
