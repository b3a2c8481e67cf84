"""A few lists to look at."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stages.artifacts.names import RECOMMENDATIONS, Columns
from stages.artifacts.tables import open_table


def preview(path: Path, views: Sequence[str] = (), *, lists: int = 3, entries: int = 3) -> list[dict[str, Any]]:
    """The first entries of the first lists of a file, as rows: user, item, views and score.

    Args:
        path: a Parquet file of recommendations.
        views: the views among its columns.
        lists: how many users.
        entries: how many of each.

    Raises:
        DataError: when the file is missing or damaged.
    """
    assert path.suffix == Path(RECOMMENDATIONS).suffix
    with open_table(path) as file:
        batch = next(file.iter_batches(batch_size=lists), None)
    rows = []
    for found in [] if batch is None else batch.to_pylist():
        for place, item in enumerate(found[Columns.ITEM_IDS][:entries]):
            texts = {view: found[view][place] for view in views}
            score = found[Columns.SCORES][place]
            rows.append({"user": found[Columns.USER_ID], "item": item, **texts, "score": score})
    return rows
