"""The section about the data: histories, popularity, texts by view, what was dropped and why."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from stages.artifacts.items import read_texts
from stages.artifacts.names import EMBEDDINGS, ITEMS, SEQUENCES
from stages.report.charts import Chart, Row, column_chart, line_chart, rows_chart
from stages.report.parts import Cell, Section, Table, count, number, share, text
from stages.report.source import Source
from stages.report.told import Told

Integers = npt.NDArray[np.int64]

_BINS = 20
_MOST_POPULAR = 50
_SHARES = 101

_LEFT_OUT = {
    "items_without_metadata": "items of the log without metadata: kept, without texts",
    "metadata_rows_of_other_items": "rows of metadata of items that no history has",
    "metadata_rows_repeated": "rows of metadata that repeat an item",
}
"""Facts of ``preprocess`` beside ``dropped``, in words."""


def data_section(source: Source) -> Section:
    """What the histories and the catalogue look like."""
    sequences = source.sequences
    lengths = np.diff(sequences.offsets)
    items = len(source.item_ids)
    counts = np.bincount(sequences.items, minlength=items + 1)[1:]
    told = source.told(SEQUENCES)
    total = len(sequences.items)
    if not total:
        return Section("data", "Data", f"{source.path(SEQUENCES).name} has no interactions.")
    figures = [
        ("users", f"{sequences.users:,}"),
        ("items", f"{items:,}"),
        ("interactions", f"{total:,}"),
        ("density", f"{total / (sequences.users * items):.3%}"),
        ("items in a history, median", f"{int(np.median(lengths)):,}"),
    ]
    split = told.text("split")
    return Section(
        "data",
        "Data",
        f"Histories of {sequences.users:,} users" + (f", split {split}." if split else "."),
        figures,
        [_lengths_chart(lengths), _popularity_chart(counts), *_views_chart(source)],
        [_views_table(source), _dropped_table(told), _parts_table(source), _popular_table(source, counts)],
    )


def length_bins(lengths: Integers) -> list[tuple[str, float]]:
    """Histories by their length, in at most about twenty bins of equal width; the last one is open.

    Args:
        lengths: (U,) items of each history.

    Returns:
        Label and number of users of each bin.
    """
    low, high = int(lengths.min()), int(np.quantile(lengths, 0.99, method="higher"))
    width = max(1, -(-(high - low + 1) // _BINS))
    starts = range(low, high + 1, width)
    # What is longer than the last bin's start counts there.
    sizes = np.bincount(np.minimum((lengths - low) // width, len(starts) - 1), minlength=len(starts))
    is_open = int(lengths.max()) >= starts[-1] + width
    labels = [f"{start}" if width == 1 else f"{start}-{start + width - 1}" for start in starts]
    if is_open:
        labels[-1] = f"{starts[-1]}+"
    return [(label, float(size)) for label, size in zip(labels, sizes, strict=True)]


def popularity_curve(counts: Integers) -> list[tuple[float, float]]:
    """The share of interactions that the most popular items take: points (share of items, share of interactions).

    Args:
        counts: (N,) interactions of each item.
    """
    taken = np.concatenate([[0], np.cumsum(np.sort(counts)[::-1])]) / max(1, counts.sum())
    at = np.linspace(0, len(counts), _SHARES)
    return [
        (float(x / len(counts)), float(y)) for x, y in zip(at, np.interp(at, range(len(taken)), taken), strict=True)
    ]


def _lengths_chart(lengths: Integers) -> Chart:
    low, middle, high = (int(value) for value in np.quantile(lengths, [0, 0.5, 1], method="inverted_cdf"))
    description = f"From {low} to {high} items, half of the users have at most {middle}."
    return column_chart("Users by length of their history", description, length_bins(lengths), "items in the history")


def _popularity_chart(counts: Integers) -> Chart:
    curve = popularity_curve(counts)
    tenth = np.interp(0.1, [x for x, _ in curve], [y for _, y in curve])
    return line_chart(
        "Interactions that the most popular items take",
        f"The most popular tenth of the items takes {tenth:.0%} of the interactions.",
        {"interactions": curve},
        "share of the items, most popular first",
        percent=True,
    )


def _view_rows(source: Source) -> list[tuple[str, int, float | None]]:
    """Of each view its name, how many items have it, and how long its texts are, in characters."""
    found: list[tuple[str, int, float | None]] = []
    for view in source.views:
        column = read_texts(source.path(ITEMS), [view])[view]
        found.append((view, len(column) - column.null_count, pc.mean(pc.utf8_length(column)).as_py()))
    return found


def _views_chart(source: Source) -> list[Chart]:
    items = max(1, len(source.item_ids))
    rows = [Row(view, have / items, f"{have / items:.1%}") for view, have, _ in _view_rows(source)]
    if not rows:
        return []
    described = ", ".join(f"{row.label} {row.text}" for row in rows)
    return [rows_chart("Items with a text, by view", f"{described}.", rows, most=1.0)]


def _views_table(source: Source) -> Table:
    embedded = {}
    if source.has(EMBEDDINGS):
        embedded = {row.text("view"): row for row in source.told(EMBEDDINGS).rows("views")}
    nothing = Told(source.path(EMBEDDINGS), {})
    rows = []
    for view, have, mean in _view_rows(source):
        row = embedded.get(view, nothing)
        rows.append(
            [
                text(view),
                count(have),
                share(have / max(1, len(source.item_ids))),
                number(mean, 1),
                count(row.count("distinct_texts")),
                number(row.number("mean_tokens"), 1),
                count(row.count("truncated_texts")),
            ]
        )
    columns = ["view", "items with a text", "share", "mean characters", "distinct texts", "mean tokens", "cut texts"]
    note = "A text that is longer than the encoder reads is cut."
    return Table("views", "Texts by view", columns, rows, note=note)


def _dropped_table(told: Told) -> Table:
    rows: list[list[Cell]] = [[text(why), count(how_many)] for why, how_many in told.reasons("dropped").items()]
    rows += [[text(words), count(found)] for name, words in _LEFT_OUT.items() if (found := told.count(name))]
    rows += [[text(f"{file}: malformed lines"), count(len(lines))] for file, lines in _lists(told, "bad_rows")]
    rows += [[text(said), text(None)] for said in told.texts("passed_over")]
    rows += [[text(f"view {view!r}: no item has a text"), text(None)] for view in told.texts("views_left_out")]
    if not rows:
        rows = [[text("nothing is known to have been dropped"), text(None)]]
    return Table("dropped", "What was dropped or left out, and why", ["reason", "count"], rows)


def _lists(told: Told, name: str) -> list[tuple[str, list[Any]]]:
    return [(key, value) for key, value in told.part(name).values.items() if isinstance(value, list)]


def _parts_table(source: Source) -> Table:
    sequences = source.sequences
    total, train = len(sequences.items), int(sequences.train_end.sum())
    valid = int(sequences.valid_end.sum()) - train
    rows = [
        [text(name), count(size), share(size / total)]
        for name, size in (("training", train), ("validation", valid), ("test", total - train - valid))
    ]
    return Table("split", "Interactions by part of the split", ["part", "interactions", "share"], rows)


def _popular_table(source: Source, counts: Integers) -> Table:
    chosen = np.argsort(-counts, kind="stable")[:_MOST_POPULAR]
    titles, ids = source.titles.take(chosen).to_pylist(), source.item_ids.take(chosen).to_pylist()
    rows = [
        [text(title), text(item_id), count(int(counts[item])), share(counts[item] / counts.sum())]
        for title, item_id, item in zip(titles, ids, chosen, strict=True)
    ]
    columns = [source.title or "title", "item", "interactions", "share"]
    return Table("popular", f"The {len(rows)} most popular items", columns, rows, folded=True)
