"""Fixtures shared by all tests: real data sets from outside the repository, and a small catalogue with structure."""

import logging
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import settings
from mirror import Mirror, running

from stages.artifacts.items import items_schema
from stages.artifacts.lineage import Lineage
from stages.artifacts.names import CODES, EMBEDDINGS, ITEMS, SEQUENCES, Columns
from stages.artifacts.sequences import SEQUENCES_SCHEMA
from stages.artifacts.tables import write_table
from stages.artifacts.vectors import codes_schema, embeddings_schema, to_fixed_size_list
from stages.frame.cluster import SETTINGS, WORKERS

REPOSITORY = Path(__file__).resolve().parents[1]

# How long an example takes says nothing on a machine that has other work.
settings.register_profile("any pace", deadline=None)
settings.load_profile("any pace")


def pytest_configure() -> None:
    """Take Ctrl-C, which jobs in the background of a shell ignore; what the tests start would ignore it as well."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of data sets: ``COCOREC_TEST_DATA``, else ``shared/data`` beside the repository."""
    root = Path(os.environ.get("COCOREC_TEST_DATA") or REPOSITORY.parent / "shared" / "data")
    if not root.is_dir():
        pytest.skip(f"no data sets at {root}; set COCOREC_TEST_DATA to the folder that holds scientific/")
    return root


@pytest.fixture(scope="session")
def scientific(data_root: Path) -> Path:
    """The folder of the Scientific data set in the shape of Amazon Reviews 2023."""
    folder = data_root / "scientific"
    needed = [f"Scientific.{part}.csv.gz" for part in ("train", "valid", "test")] + ["meta_Scientific.jsonl.gz"]
    missing = [name for name in needed if not (folder / name).is_file()]
    if missing:
        pytest.skip(f"{folder} lacks {', '.join(missing)}; set COCOREC_TEST_DATA to the folder that holds scientific/")
    return folder


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    """A web server on this machine, without files as yet."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with running() as server:
        yield server


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[Any]:
    """A Ray cluster of two workers with little shared memory, to which this process is connected."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    import ray

    ray.init(
        address="local",
        num_cpus=2,
        object_store_memory=100_000_000,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        runtime_env={"env_vars": WORKERS},
    )
    yield ray
    ray.shutdown()


ITEM_COUNT, GROUPS, USERS, LEVELS, CODEBOOK = 60, 6, 300, 2, 8
VIEWS = {"title": 12, "brand": 8}


def write_structured(folder: Path, seed: int = 0) -> Path:
    """Artifacts of the first three stages: items of a group follow each other, and share codes and text."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    group = np.arange(ITEM_COUNT) % GROUPS
    numbers = pa.array(np.arange(1, ITEM_COUNT + 1), pa.int32())
    texts = [[f"{view} {g}" for g in group] for view in VIEWS]
    ids = [f"item-{i:03}" for i in range(ITEM_COUNT)]
    items = pa.table([numbers, pa.array(ids), *map(pa.array, texts)], schema=items_schema(list(VIEWS)))
    write_table(folder / ITEMS, items, Lineage("preprocess", {}, {}))

    columns = []
    for dimension in VIEWS.values():
        centres = rng.normal(size=(GROUPS, dimension))
        matrix = (centres[group] + 0.1 * rng.normal(size=(ITEM_COUNT, dimension))).astype(np.float32)
        columns.append(to_fixed_size_list(matrix, rng.random(ITEM_COUNT) > 0.1))
    table = pa.table([numbers, *columns], schema=embeddings_schema(VIEWS))
    write_table(folder / EMBEDDINGS, table, Lineage("embed", {}, {}), compression="none")

    codes = np.stack([(group + 3 * j) % CODEBOOK for j in range(len(VIEWS) * LEVELS)], 1).astype(np.uint16)
    codes[:, -1] = rng.integers(CODEBOOK, size=ITEM_COUNT)
    schema = codes_schema(codes.shape[1], CODEBOOK)
    table = pa.table({Columns.ITEM: numbers, Columns.CODES: to_fixed_size_list(codes).cast(schema.field(1).type)})
    write_table(folder / CODES, table.cast(schema), Lineage("quantize", {}, {}, {"codebook_size": CODEBOOK}))

    histories = []
    for _ in range(USERS):
        at = int(rng.integers(GROUPS))
        history = []
        for _ in range(int(rng.integers(4, 14))):
            at = (at + 1) % GROUPS if rng.random() < 0.8 else int(rng.integers(GROUPS))
            history.append(int(rng.choice(np.flatnonzero(group == at))) + 1)
        histories.append(history)
    lengths = np.array([len(history) for history in histories])
    columns = [
        pa.array([f"user-{u:03}" for u in range(USERS)]),
        pa.array(histories, pa.list_(pa.int32())),
        pa.nulls(USERS, pa.list_(pa.int64())),
        pa.array(lengths - 2, pa.int32()),
        pa.array(lengths - 1, pa.int32()),
    ]
    write_table(folder / SEQUENCES, pa.table(columns, schema=SEQUENCES_SCHEMA), Lineage("preprocess", {}, {}))
    return folder


@pytest.fixture(scope="session")
def make_structured() -> Callable[..., Path]:
    """:func:`write_structured`, for fixtures that live longer than a test."""
    return write_structured


@pytest.fixture
def structured(tmp_path: Path) -> Path:
    """A work directory with all that training needs."""
    return write_structured(tmp_path / "artifacts")


@pytest.fixture
def small() -> dict[str, object]:
    """Options that make a model train in a second or two."""
    return {
        "dim": 16,
        "ffn_dim": 32,
        "fusion_ffn_dim": 32,
        "text_dim": 8,
        "layers": 1,
        "fusion_layers": 1,
        "batch_size": 64,
        "learning_rate": 0.01,
        "warmup_steps": 5,
        "dropout": 0.1,
        "fusion_dropout": 0.1,
        "max_history": 6,
        "device": "cpu",
    }
