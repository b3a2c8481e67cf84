"""Preprocessing: interactions per second, and peak memory.

    python -m benchmarks.preprocess
    python -m benchmarks.preprocess --reviews 10000000 --runs 1 --no-warmup

Raw reviews (gz JSON lines) against polars that only reads and projects the same file; benchmark files with histories
(CSV) against loops over their rows.
"""

import argparse
import csv
import gzip
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import Prepared, Side, compare, options, report
from stages.frame.allocator import keep_freed_memory

COLUMNS = ("user_id", "parent_asin", "timestamp")
_AT_ONCE = 100_000
_WORDS = ["solid", "cheap", "works", "great", "broke", "string", "guitar", "stand", "after", "month", "sound", "good"]


def prepare_ours(log: Path, *, workdir: Path, interactions: int) -> Prepared:
    """The stage, as ``cocorec preprocess`` runs it."""
    from stages.preprocess import PreprocessOptions, preprocess

    def run() -> float:
        preprocess(PreprocessOptions(inputs=(log,)), workdir=workdir, force=True)
        return interactions

    return run


def prepare_polars(log: Path, *, interactions: int) -> Prepared:
    """Reading and projecting alone."""
    import polars as pl

    keep_freed_memory()

    def run() -> float:
        frame = pl.scan_ndjson(log, schema=dict.fromkeys(COLUMNS, pl.String)).collect(engine="streaming")
        assert frame.height == interactions
        return interactions

    return run


def prepare_pandas(log: Path, *, interactions: int) -> Prepared:
    """Loops over the rows of pandas frames."""
    import pandas as pd

    keep_freed_memory()

    def run() -> float:
        loop = _Loop()
        for path in _parts(log):
            for _, row in pd.read_csv(path).iterrows():
                loop.add(row["user_id"], row["parent_asin"], row["history"] if isinstance(row["history"], str) else "")
        return loop.done(interactions)

    return run


def prepare_csv(log: Path, *, interactions: int) -> Prepared:
    """Loops over the rows with Python's own reader."""
    keep_freed_memory()

    def run() -> float:
        loop = _Loop()
        for path in _parts(log):
            with path.open(newline="") as file:
                for row in csv.DictReader(file):
                    loop.add(row["user_id"], row["parent_asin"], row["history"])
        return loop.done(interactions)

    return run


class _Loop:
    """What is done with each row: number users and items, turn the history into numbers."""

    def __init__(self) -> None:
        self.users: dict[str, int] = {}
        self.items: dict[str, int] = {}
        self.rows: list[tuple[int, list[int], int]] = []

    def add(self, user: str, item: str, history: str) -> None:
        number = self.users.setdefault(user, len(self.users) + 1)
        earlier = [self.items.setdefault(name, len(self.items) + 1) for name in history.split()]
        self.rows.append((number, earlier, self.items.setdefault(item, len(self.items) + 1)))

    def done(self, interactions: int) -> float:
        # A benchmark file has a row for every interaction but a user's first, which is only in histories.
        assert len(self.rows) + len(self.users) == interactions
        return interactions


def _parts(train: Path) -> list[Path]:
    return [train.with_name(train.name.replace("train", part)) for part in ("train", "valid", "test")]


def write_reviews(path: Path, reviews: int, seed: int, *, first: int = 0, of: int | None = None) -> None:
    """Reviews as Amazon Reviews 2023 has them: 8 a user, 20 an item, about 250 bytes each.

    Args:
        path: of the file.
        reviews: that it holds.
        seed: of users and items.
        first: reviews of the same log in the files before.
        of: reviews of the whole log, where it has several files.
    """
    rng = np.random.default_rng(seed)
    users, items = max(1, (of or reviews) // 8), max(1, (of or reviews) // 20)
    with gzip.open(path, "wt", compresslevel=1) as file:
        for start in range(0, reviews, _AT_ONCE):
            count = min(_AT_ONCE, reviews - start)
            user, item = rng.integers(users, size=count).tolist(), rng.integers(items, size=count).tolist()
            words = rng.choice(_WORDS, (1_000, 25))
            texts = [json.dumps(" ".join(row)) for row in words.tolist()]
            file.writelines(
                f'{{"rating": {1 + n % 5}.0, "title": "{_WORDS[n % len(_WORDS)]}", "text": {texts[n % 1000]}, '
                f'"images": [], "asin": "B{i:09}", "parent_asin": "B{i:09}", "user_id": "AE{u:026}", '
                f'"timestamp": {1_500_000_000_000 + (first + start + n) * 1000}, "helpful_vote": {n % 7}, '
                f'"verified_purchase": true}}\n'
                for n, (u, i) in enumerate(zip(user, item, strict=True))
            )


def write_benchmark(folder: Path, users: int, seed: int) -> tuple[Path, int]:
    """Benchmark files with histories; the training file and the number of interactions."""
    rng = np.random.default_rng(seed)
    train, interactions = folder / "Synthetic.train.csv", 0
    parts: dict[str, list[list[Any]]] = {"train": [], "valid": [], "test": []}
    for user in range(users):
        length = int(5 + rng.geometric(0.25))
        items = [f"B{n:09}" for n in rng.choice(max(50, users), length, replace=False)]
        interactions += length
        for at in range(1, length):
            part = "test" if at == length - 1 else "valid" if at == length - 2 else "train"
            parts[part].append([f"AE{user:026}", items[at], 5.0, 1000 + at, " ".join(items[:at])])
    for path, part in zip(_parts(train), parts, strict=True):
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([*COLUMNS[:2], "rating", "timestamp", "history"])
            writer.writerows(parts[part])
    return train, interactions


def main(args: list[str] | None = None) -> None:
    """Run the benchmark."""
    parser = options(__doc__ or "", runs=3)
    parser.add_argument("--reviews", type=int, default=1_000_000, help="lines of the raw reviews")
    parser.add_argument("--users", type=int, default=20_000, help="users of the benchmark files")
    parser.add_argument("--pandas", action=argparse.BooleanOptionalAction, default=True, help="the loop over pandas")
    arguments = parser.parse_args(args)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log = folder / "reviews.jsonl.gz"
        write_reviews(log, arguments.reviews, arguments.seed)
        raw = {"log": log, "interactions": arguments.reviews}
        reading = [
            Side("cocorec preprocess, reviews", prepare_ours, {**raw, "workdir": folder / "reviews"}),
            Side("polars, reading alone", prepare_polars, raw),
        ]
        train, interactions = write_benchmark(folder, arguments.users, arguments.seed)
        split = {"log": train, "interactions": interactions}
        loops = [
            Side("cocorec preprocess, benchmark files", prepare_ours, {**split, "workdir": folder / "split"}),
            Side("loop over csv rows", prepare_csv, split),
            *([Side("loop over pandas rows", prepare_pandas, split)] if arguments.pandas else []),
        ]
        given = {"runs": arguments.runs, "threads": arguments.threads, "warmup": arguments.warmup}
        rows = [*compare(reading, **given), *compare(loops, **given)]
        size = log.stat().st_size
    report(
        f"preprocessing: {arguments.reviews:,} reviews ({size / 2**20:,.0f} MiB gz); {interactions:,} interactions in "
        f"benchmark files; {arguments.threads} threads",
        arguments,
        rows,
        unit="interactions",
    )


if __name__ == "__main__":
    main()
