"""Arrow and Feather files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from events import EXPECTED, table, write_stream
from plain_tables import COLUMNS

from stages.artifacts.errors import DataError

Run = Callable[..., Any]


@pytest.mark.parametrize("compression", ["uncompressed", "zstd"])
def test_arrow_and_feather(run: Run, tmp_path: Path, compression: str) -> None:
    path = tmp_path / "log.feather"
    table().write_ipc(path, compression=compression)
    texts = pl.DataFrame({"what": ["A", "B"], "name": ["a", "b"], "tags": [["x", "y"], []], "n": [1, 2]})
    texts.write_ipc(tmp_path / "texts.arrow", compression=compression)
    made = run(path, items=[tmp_path / "texts.arrow"], **COLUMNS)
    assert made.users == EXPECTED
    assert made.items == {"A": {"name": "a", "tags": "x, y"}, "B": {"name": "b", "tags": None}}


def test_damaged_arrow(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "log.arrow"
    table().write_ipc(path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"log\.arrow is damaged"):
        run(path, **COLUMNS)
    write_stream(path, table().to_arrow())
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(DataError, match=r"cannot read .*log\.arrow"):
        run(path, **COLUMNS)
    path.write_bytes(b"FEA1" + bytes(50))
    with pytest.raises(DataError, match="Feather file of version 1"):
        run(path, **COLUMNS)
