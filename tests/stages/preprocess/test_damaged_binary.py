"""Parquet, Arrow and gzip files with bytes changed, cut out or put in: an error or a result, never a traceback."""

import gzip
import io
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stages.artifacts.errors import CocorecError
from stages.preprocess import PreprocessOptions, preprocess

FRAME = pl.DataFrame(
    {
        "user_id": [f"u{n % 5}" for n in range(40)],
        "item_id": [f"i{n % 7}" for n in range(40)],
        "timestamp": [1_600_000_000 + n for n in range(40)],
        "title": [None if n % 9 == 0 else f"saw {n} é" for n in range(40)],
        "tags": [["a", "b"][: n % 3] for n in range(40)],
    }
)


def written(kind: str) -> bytes:
    buffer = io.BytesIO()
    match kind:
        case "parquet":
            FRAME.write_parquet(buffer)
        case "parquet without compression":
            FRAME.write_parquet(buffer, compression="uncompressed")
        case "arrow":
            FRAME.write_ipc(buffer)
        case "arrow stream":
            FRAME.write_ipc_stream(buffer)
        case "CSV in gzip":
            return gzip.compress(FRAME.drop("tags").write_csv().encode(), mtime=0)
        case "JSON lines in gzip":
            return gzip.compress(FRAME.write_ndjson().encode(), mtime=0)
    return buffer.getvalue()


KINDS = (
    "parquet",
    "parquet without compression",
    "arrow",
    "arrow stream",
    "CSV in gzip",
    "JSON lines in gzip",
)
FILES = {kind: written(kind) for kind in KINDS}

_CHANGES = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.sampled_from(["flip", "cut", "put", "zero"]), st.integers(0, 255)),
    min_size=1,
    max_size=4,
)


def changed(data: bytes, changes: list[tuple[float, str, int]]) -> bytes:
    """The bytes with each change made at its share of the length."""
    for share, what, value in changes:
        place = int(share * len(data))
        match what:
            case "flip":
                data = data[:place] + bytes([data[place] ^ (value or 1)]) + data[place + 1 :] if data else data
            case "cut":
                data = data[:place] + data[place + value :]
            case "put":
                data = data[:place] + bytes([value]) * 4 + data[place:]
            case "zero":
                data = data[:place] + bytes(min(value, len(data) - place)) + data[place + value :]
    return data


@pytest.mark.parametrize("kind", FILES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=_CHANGES, as_items=st.booleans())
def test_no_damage_leads_to_a_traceback(
    tmp_path: Path, kind: str, changes: list[tuple[float, str, int]], as_items: bool
) -> None:
    good, damaged = tmp_path / "good.csv", tmp_path / "damaged"
    good.write_bytes(FRAME.drop("tags").write_csv().encode())
    damaged.write_bytes(changed(FILES[kind], changes))
    log, items = (good, [damaged]) if as_items else (damaged, [])
    try:
        preprocess(PreprocessOptions([log], items=items, k_core=0), workdir=tmp_path / "work", force=True)
    except CocorecError as error:
        assert error.exit_code in (2, 3)
        assert error.hint
