import pyarrow as pa
import pytest

from stages.serve import ids as module
from stages.serve.ids import IdIndex

IDS = [f"id-{number}" for number in range(10_000)] + ["", "ä", "\0", "a/b", "12"]


@pytest.mark.parametrize("hashed", [None, len, lambda text: 7])
def test_rows_are_those_of_a_dictionary(monkeypatch, hashed):
    some = IDS
    if hashed:  # many ids of one hash
        monkeypatch.setattr(module, "hash", hashed, raising=False)
        some = IDS[-300:]
    index = IdIndex(pa.chunked_array([pa.array(some[:7]), pa.array(some[7:])]))
    expected = {text: row for row, text in enumerate(some)}
    wanted = [*some[::3], "nobody", "id-", "", "\0", *some[::-7]]
    assert index.rows(wanted).tolist() == [expected.get(text, -1) for text in wanted]
    assert (len(index), index.repeated) == (len(some), None)


def test_of_an_id_that_occurs_again_the_first_row_counts():
    index = IdIndex(pa.chunked_array([pa.array(["a", "b", "a", "c"])]))
    assert index.repeated == "a"
    assert index.rows(["a", "c", "b"]).tolist() == [0, 3, 1]


def test_nothing_is_found_where_nothing_is():
    assert IdIndex(pa.chunked_array([], pa.string())).rows(["a"]).tolist() == [-1]
    assert IdIndex(pa.chunked_array([["a"]])).rows([]).tolist() == []
