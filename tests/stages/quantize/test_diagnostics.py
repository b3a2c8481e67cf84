import numpy as np

from stages.quantize.diagnostics import RowKeys, position_facts, row_numbers, tuple_facts


def test_usage_of_a_position() -> None:
    facts = position_facts(np.array([0, 0, 1, 1, 3, 3, 3, 3], np.uint16), 8)
    assert facts == {"dead": 5, "entropy": 1.5, "perplexity": 2.83, "used": 3, "utilisation": 0.375}
    assert position_facts(np.zeros(5, np.uint16), 4)["entropy"] == 0


def test_collisions() -> None:
    rows = np.array([[1, 2], [1, 2], [2, 1], [3, 3], [1, 2]], np.uint16)
    np.testing.assert_array_equal(row_numbers(rows), [0, 0, 1, 2, 0])
    assert tuple_facts(rows) == {"distinct": 3, "largest": 3, "unique": 0.4}


def test_no_items_have_no_codes() -> None:
    facts = position_facts(np.zeros(0, np.uint16), 4)
    assert facts == {"dead": 4, "entropy": 0.0, "perplexity": 1.0, "used": 0, "utilisation": 0.0}
    assert tuple_facts(np.zeros((0, 2), np.uint16)) == {"distinct": 0, "largest": 0, "unique": 0.0}


def test_keys_tell_apart_what_the_vectors_tell_apart() -> None:
    rng = np.random.default_rng(0)
    distinct = rng.standard_normal((1500, 6)).astype(np.float32)
    distinct[1] = distinct[0]
    distinct[1, -1] = np.nextafter(distinct[0, -1], np.float32(9))  # the smallest difference there is
    which = rng.integers(0, len(distinct), 4000)
    keys = RowKeys()
    for part in np.split(distinct[which], [1, 2500]):
        keys.add(part)
    assert keys.rows().shape == (4000, 2)
    np.testing.assert_array_equal(row_numbers(keys.rows()), row_numbers(distinct[which]))
    assert tuple_facts(keys.rows())["distinct"] == len(np.unique(which))


def test_no_rows_have_no_keys() -> None:
    assert RowKeys().rows().shape == (0, 2)
