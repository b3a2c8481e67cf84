"""Four interactions of two users with two items, and the histories that they make."""

from pathlib import Path

import polars as pl
import pyarrow as pa

TIME = 1_400_000_000
EVENTS = [("u", "B", 2), ("u", "A", 3), ("v", "B", 1), ("u", "A", 1)]
EXPECTED = {"u": ["A", "B", "A"], "v": ["B"]}


def table() -> pl.DataFrame:
    """With the columns that ``plain_tables.COLUMNS`` names."""
    return pl.DataFrame(EVENTS, schema={"who": pl.String, "what": pl.String, "when": pl.Int64}, orient="row")


def write_stream(path: Path, data: pa.Table) -> Path:
    """As a stream of Arrow, in pieces of two rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with pa.ipc.new_stream(path, data.schema) as writer:
        writer.write_table(data, max_chunksize=2)
    return path
