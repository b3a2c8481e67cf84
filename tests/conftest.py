"""Fixtures shared by all tests: real data sets, read from outside the repository."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


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
