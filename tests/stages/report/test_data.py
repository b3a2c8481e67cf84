import numpy as np
import pytest
from report_parts import cells, table_of

from stages.report.data import data_section, length_bins, popularity_curve
from stages.report.source import Source


def test_bins_hold_every_history_once() -> None:
    lengths = np.array([5] * 180 + [7] * 19 + [400])
    assert length_bins(lengths) == [("5", 180), ("6", 0), ("7+", 20)]
    assert length_bins(np.arange(1, 101)) == [(f"{low}-{low + 4}", 5) for low in range(1, 101, 5)]
    assert length_bins(np.array([3, 3])) == [("3", 2)]


def test_popularity_curve() -> None:
    curve = dict(popularity_curve(np.array([1, 8, 1, 0])))
    assert (curve[0.0], curve[0.25], curve[0.5], curve[1.0]) == pytest.approx((0, 0.8, 0.9, 1))


def test_the_section_counts_what_is_there(source: Source) -> None:
    section = data_section(source)
    sequences = source.sequences
    figures = dict(section.figures)
    assert figures["users"] == f"{sequences.users:,}" and figures["interactions"] == f"{len(sequences.items):,}"
    assert sum(size for _, size in length_bins(np.diff(sequences.offsets))) == sequences.users
    split = cells(table_of(section, "split"))
    assert [row[1] for row in split] == [len(sequences.items) - 2 * sequences.users, sequences.users, sequences.users]
    popular = cells(table_of(section, "popular"))
    assert popular[0][2] == np.bincount(sequences.items).max()
    assert len(popular) == 50


def test_what_was_dropped_and_why(source: Source) -> None:
    dropped = {row[0].text: row[1].text for row in table_of(data_section(source), "dropped").rows}
    assert dropped["rows without <user>"] == "7"
    assert dropped["interactions outside the 5-core"] == "1,234"
    assert dropped["items of the log without metadata: kept, without texts"] == "2"
    assert "notes.txt was not read" in dropped


def test_texts_by_view(source: Source) -> None:
    views = cells(table_of(data_section(source), "views"))
    assert [(row[0], row[1], row[2]) for row in views] == [("title", 60, 1.0), ("brand", 60, 1.0)]
    assert views[1][3] == pytest.approx(len("brand 0"))
