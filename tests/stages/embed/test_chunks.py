from pathlib import Path

import numpy as np
import pytest

from stages.embed.chunks import ChunkStore

STARTS = np.array([0, 3, 4, 10])
VECTORS = np.random.default_rng(0).standard_normal((10, 5)).astype(np.float32)


def filled(workdir: Path) -> ChunkStore:
    store = ChunkStore(workdir, "key", STARTS, 5)
    for chunk in range(len(store)):
        store.write(chunk, VECTORS[STARTS[chunk] : STARTS[chunk + 1]])
    return store


def test_gathers_rows_of_any_order_across_chunks(tmp_path: Path) -> None:
    store = filled(tmp_path)
    rows = np.array([9, 0, 3, 3, 5, 2])
    np.testing.assert_array_equal(store.gather(rows), VECTORS[rows])
    assert store.gather(rows[:0]).shape == (0, 5)


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove"])
def test_a_damaged_chunk_counts_as_unfinished(tmp_path: Path, damage: str) -> None:
    store = filled(tmp_path)
    path = sorted(tmp_path.rglob("*.f32"))[2]
    content = bytearray(path.read_bytes())
    if damage == "remove":
        path.unlink()
    else:
        content[-1] ^= 1
        path.write_bytes(content if damage == "flip" else content[:-5])
    assert store.read(2) is None
    np.testing.assert_array_equal(store.read(0), VECTORS[:3])


def test_chunks_of_another_key_are_not_seen_but_are_removed(tmp_path: Path) -> None:
    filled(tmp_path)
    other = ChunkStore(tmp_path, "other", STARTS, 5)
    assert other.read(0) is None
    other.remove()
    assert not list(tmp_path.rglob("*.f32"))
