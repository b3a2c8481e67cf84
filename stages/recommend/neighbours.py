"""The entry point of similar items."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from stages.artifacts.items import item_views
from stages.artifacts.names import ITEMS
from stages.frame.reporter import Reporter
from stages.frame.threads import threads
from stages.recommend.options import SimilarOptions
from stages.recommend.output import list_writer
from stages.recommend.recommender import Recommender

_CHUNK = 16_384
"""Items whose neighbours are found and written at a time."""


def similar(options: SimilarOptions, *, workdir: Path, reporter: Reporter | None = None) -> Iterator[pa.Table]:
    """Find the items most like some items; see :meth:`stages.recommend.Recommender.similar`.

    Args:
        options: which items, by what, and where the lists go.
        workdir: the work directory.
        reporter: where progress and messages go.

    Yields:
        Tables with ``item_id``, ``item_ids`` nearest first, ``scores`` and the views as lists, some items at a time;
        none where they are written to a file. Without ``with_views`` there is the view ``title`` if the items have it.

    Raises:
        UsageError: for options that do not fit, an unknown item, or a model whose items have no vectors.
        DataError: for artifacts that are missing, damaged or do not belong together.
    """
    with threads(options.threads):
        yield from _similar(options, Path(workdir), reporter or Reporter())


def _similar(options: SimilarOptions, workdir: Path, reporter: Reporter) -> Iterator[pa.Table]:
    recommender = Recommender.load(workdir, device=options.device, reporter=reporter)
    views = list(options.with_views) or [view for view in item_views(workdir / ITEMS) if view == "title"]
    ids = recommender.items.ids if options.all else pa.chunked_array([pa.array(options.item_ids)])
    numbers = recommender.items.known_numbers(ids)
    tables = _tables(options, recommender, ids, numbers, views, reporter)
    if options.output is None:
        yield from tables
        return
    first = next(tables)
    with list_writer(options.output, first.schema) as writer:
        writer.write(first)
        for table in tables:
            writer.write(table)


def _tables(
    options: SimilarOptions,
    recommender: Recommender,
    ids: pa.ChunkedArray,
    numbers: np.ndarray,
    views: list[str],
    reporter: Reporter,
) -> Iterator[pa.Table]:
    with reporter.track("finding similar items", len(ids), "items") as advance:
        for low in range(0, len(ids), _CHUNK):
            part = numbers[low : low + _CHUNK]
            lists = recommender.neighbours(part, top=options.top, by=options.by, progress=advance)
            yield recommender.items.neighbours_table(ids.slice(low, _CHUNK), lists, views)
