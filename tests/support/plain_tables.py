"""A small log as a table, in any kind of file."""

from pathlib import Path

import polars as pl

COLUMNS = {"user_column": "who", "item_column": "what", "time_column": "when", "k_core": 0}
LOG = [("u", "B", 2), ("v", "A", 1), ("u", "A", 1), ("u", "C d,\te", 3)]
EXPECTED = {"u": ["A", "B", "C d,\te"], "v": ["A"]}


def save(frame: pl.DataFrame, path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    match path.suffix:
        case ".csv":
            frame.write_csv(path)
        case ".tsv":
            frame.write_csv(path, separator="\t")
        case ".jsonl":
            frame.write_ndjson(path)
        case ".parquet":
            frame.write_parquet(path)
    return path
