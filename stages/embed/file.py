"""Writes ``embeddings.parquet`` from the vectors of the distinct texts."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

from stages.artifacts.lineage import Lineage
from stages.artifacts.names import Columns
from stages.artifacts.tables import table_writer
from stages.artifacts.vectors import embeddings_schema, to_fixed_size_list
from stages.embed.batches import Index
from stages.embed.chunks import Matrix
from stages.embed.texts import DistinctTexts

_ROW_GROUP_BYTES = 64 << 20


def write_embeddings(
    path: Path, texts: DistinctTexts, views: list[str], gather: Callable[[Index], Matrix], lineage: Lineage
) -> None:
    """Give each item the vector of its text in each view, null where it has none.

    Args:
        path: where the table goes.
        texts: and which items have them.
        views: in the order of the columns.
        gather: gives the vectors (n, D) of texts (n,) by their numbers.
        lineage: of the run.
    """
    dimension = lineage.facts["dimension"]
    items = lineage.facts["items"]
    schema = embeddings_schema(dict.fromkeys(views, dimension))
    step = min(131_072, max(1_024, _ROW_GROUP_BYTES // (len(views) * dimension * 4)))
    with table_writer(path, schema, compression="none") as writer:
        for start in range(0, items, step):
            end = min(start + step, items)
            columns = {Columns.ITEM: pa.array(np.arange(start + 1, end + 1, dtype=np.int32))}
            numbers = {view: texts.rows[view][start:end] for view in views}
            # Of all views at once: each file of vectors is opened once a step.
            found = gather(np.concatenate([rows[rows >= 0] for rows in numbers.values()]))
            for view, rows in numbers.items():
                matrix = np.zeros((end - start, dimension), np.float32)
                own, found = np.split(found, [np.count_nonzero(rows >= 0)])
                matrix[rows >= 0] = own
                columns[view] = to_fixed_size_list(matrix, rows >= 0)
            writer.write(pa.table(columns, schema=schema))
        writer.set_lineage(lineage)
