from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from recording import Recorder
from tiny import WORDS, save_tiny_model

from stages.artifacts import names
from stages.artifacts.items import items_schema
from stages.artifacts.lineage import Lineage
from stages.artifacts.tables import write_table


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture(scope="session")
def words() -> list[str]:
    """The words that the tiny model knows, in the order of its vocabulary after five special tokens."""
    return list(WORDS)


@pytest.fixture(scope="session")
def sentences() -> Callable[..., list[str]]:
    """So many random texts of words that the tiny model knows."""

    def make(count: int, seed: int = 0) -> list[str]:
        rng = np.random.default_rng(seed)
        return [" ".join(rng.choice(WORDS, rng.integers(1, 30))) for _ in range(count)]

    return make


@pytest.fixture
def make_items(tmp_path: Path) -> Callable[..., Path]:
    """Write ``items.parquet`` with these views into a work directory, and give that."""

    def make(views: Mapping[str, Sequence[str | None]], folder: str = "work") -> Path:
        workdir = tmp_path / folder
        count = len(next(iter(views.values())))
        columns = {"item": pa.array(range(1, count + 1), pa.int32()), "item_id": [f"i{n:05d}" for n in range(count)]}
        table = pa.table({**columns, **views}, schema=items_schema(list(views)))
        write_table(workdir / names.ITEMS, table, Lineage("preprocess", {}, {}))
        return workdir

    return make


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two small layers with random weights, saved as sentence-transformers does."""
    return save_tiny_model(tmp_path_factory.mktemp("models"))
