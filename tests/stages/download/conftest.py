"""A small category, and a download of it that does not wait."""

import gzip
import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mirror import Mirror

from stages.download import DownloadOptions, download
from stages.frame.reporter import Reporter
from stages.frame.result import Result

CATEGORY = "Video_Games"
TRAIN = f"benchmark/5core/last_out_w_his/{CATEGORY}.train.csv.gz"
VALID = f"benchmark/5core/last_out_w_his/{CATEGORY}.valid.csv.gz"
TEST = f"benchmark/5core/last_out_w_his/{CATEGORY}.test.csv.gz"
META = f"raw/meta_categories/meta_{CATEGORY}.jsonl.gz"


def packed(size: int, seed: int) -> bytes:
    """A gzip file of about this many bytes."""
    return gzip.compress(random.Random(seed).randbytes(size), 1, mtime=0)


@pytest.fixture
def games(mirror: Mirror) -> Mirror:
    """A server with four files; the largest takes several reads."""
    mirror.files = {TRAIN: packed(300_000, 1), VALID: packed(5_000, 2), TEST: packed(5_000, 3), META: packed(9_000, 4)}
    return mirror


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that would have been waited between attempts."""
    seconds: list[float] = []
    monkeypatch.setattr("stages.download.transfer.time", SimpleNamespace(sleep=seconds.append))
    return seconds


@pytest.fixture
def fetch(games: Mirror, tmp_path: Path, waits: list[float]) -> Callable[..., Result]:
    """Download the category into ``here``."""

    def run(*, force: bool = False, reporter: Reporter | None = None, **changed: Any) -> Result:
        options = {"dataset": "amazon-2023", "category": CATEGORY, "base_url": games.url, "to": tmp_path / "here"}
        return download(DownloadOptions(**{**options, **changed}), force=force, reporter=reporter)

    return run


@pytest.fixture
def here(tmp_path: Path) -> Path:
    return tmp_path / "here"
