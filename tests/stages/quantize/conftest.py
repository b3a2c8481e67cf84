from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from stages.artifacts import names
from stages.artifacts.lineage import Lineage
from stages.artifacts.tables import write_table
from stages.artifacts.vectors import embeddings_schema, to_fixed_size_list

Matrix = npt.NDArray[np.float32]


@pytest.fixture
def vectors() -> Callable[..., Matrix]:
    """Vectors (N, D) around a few dozen centres, with variance in all directions."""

    def make(items: int, d: int = 32, seed: int = 0) -> Matrix:
        rng = np.random.default_rng(seed)
        centres = np.random.default_rng(99).standard_normal((40, d))
        noise = 0.2 * rng.standard_normal((items, d))
        return (centres[rng.integers(0, 40, items)] + noise + 1.0).astype(np.float32)

    return make


@pytest.fixture
def make_embeddings(tmp_path: Path) -> Callable[..., Path]:
    """Write ``embeddings.parquet`` of these views into a work directory; rows of NaN become null."""

    def make(views: Mapping[str, Matrix], folder: str = "work", items: str | None = "sha256:items") -> Path:
        workdir = tmp_path / folder
        count = len(next(iter(views.values())))
        columns: dict[str, pa.Array] = {"item": pa.array(range(1, count + 1), pa.int32())}
        for view, matrix in views.items():
            present = ~np.isnan(matrix).any(axis=1)
            columns[view] = to_fixed_size_list(np.nan_to_num(matrix), present)
        schema = embeddings_schema({view: matrix.shape[1] for view, matrix in views.items()})
        inputs = {names.ITEMS: items} if items else {}
        write_table(workdir / names.EMBEDDINGS, pa.table(columns, schema=schema), Lineage("embed", {}, inputs))
        return workdir

    return make
