"""Builders of raw files, and artifacts read back in terms of ids."""

import gzip
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from amazon_files import review
from plain_tables import LOG
from published import HEADER

from stages.artifacts.items import check_item_numbers
from stages.artifacts.names import ITEMS, SEQUENCES
from stages.artifacts.sequences import SEQUENCES_SCHEMA, read_sequences
from stages.artifacts.tables import open_table, read_table
from stages.preprocess import PreprocessOptions, preprocess


@dataclass(frozen=True)
class Made:
    """The artifacts of a run: histories as item ids by user, texts by item id, facts and warnings."""

    users: dict[str, list[str]]
    parts: dict[str, tuple[int, int]]
    times: dict[str, list[int] | None]
    items: dict[str, dict[str, Any]]
    facts: dict[str, Any]
    warnings: tuple[str, ...]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a raw file; the name decides how: records for .jsonl, lines for the others, compressed when .gz."""

    def to_file(name: str, rows: Iterable[Any]) -> Path:
        path = tmp_path / "raw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
        data = "".join(f"{line}\n" for line in lines).encode()
        path.write_bytes(gzip.compress(data, mtime=0) if name.endswith(".gz") else data)
        return path

    return to_file


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Made]:
    """Run the stage and read what it wrote, checking the contract."""

    def preprocessed(*inputs: Path, items: Iterable[Path] = (), **options: Any) -> Made:
        workdir = options.pop("workdir", tmp_path / "work")
        force = options.pop("force", False)
        result = preprocess(PreprocessOptions(inputs, items=tuple(items), **options), workdir=workdir, force=force)
        return read_made(workdir, dict(result.facts), result.warnings)

    return preprocessed


@pytest.fixture
def publish(write: Callable[..., Path]) -> Callable[..., Path]:
    """Callable[..., Path] the three files; returns the path of the training file."""

    def files(train: list[str], valid: list[str], test: list[str], name: str = "Tools", suffix: str = "") -> Path:
        for part, rows in (("valid", valid), ("test", test), ("train", train)):
            path = write(f"{name}.{part}.csv{suffix}", [HEADER, *rows])
        return path

    return files


def read_made(workdir: Path, facts: dict[str, Any], warnings: tuple[str, ...]) -> Made:
    with open_table(workdir / ITEMS) as file:
        number = check_item_numbers(file, workdir / ITEMS)
    items = read_table(workdir / ITEMS).to_pylist()
    ids = [item["item_id"] for item in items]
    assert ids == sorted(ids, key=str.encode)
    read_sequences(workdir / SEQUENCES, items=number)  # checks numbers and ends
    table = read_table(workdir / SEQUENCES)
    assert table.schema.remove_metadata() == SEQUENCES_SCHEMA
    rows = table.to_pylist()
    users = [row["user_id"] for row in rows]
    assert users == sorted(users, key=str.encode)
    return Made(
        users={row["user_id"]: [ids[item - 1] for item in row["items"]] for row in rows},
        parts={row["user_id"]: (row["train_end"], row["valid_end"]) for row in rows},
        times={row["user_id"]: row["timestamps"] for row in rows},
        items={item.pop("item_id"): {k: v for k, v in item.items() if k != "item"} for item in items},
        facts=facts,
        warnings=warnings,
    )


@pytest.fixture
def reviews(write: Callable[..., Path]) -> Path:
    """Users u1 and u2 with four items each, u3 with two, in no order of time."""
    rows = [review("u1", item, 1_600_000_000_000 + time) for item, time in zip("DBAC", (4, 2, 1, 3), strict=True)]
    rows += [review("u2", item, 1_600_000_000_000) for item in "CADB"]  # at the same time
    rows += [review("u3", "A", 5), review("u3", "B", 6)]
    return write("Tools.jsonl.gz", rows)


@pytest.fixture
def log() -> pl.DataFrame:
    return pl.DataFrame(LOG, schema={"who": pl.String, "what": pl.String, "when": pl.Int64}, orient="row")
