import resource
from pathlib import Path

import numpy as np
import pytest

from stages.artifacts.errors import DataError
from stages.embed.chunks import ChunkStore, remove_chunks

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


def test_gathers_from_more_chunks_than_files_may_be_open(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    store = ChunkStore(tmp_path, "key", np.arange(201), 2)
    vectors = np.arange(400, dtype=np.float32).reshape(200, 2)
    for chunk in range(200):
        store.write(chunk, vectors[chunk : chunk + 1])
    open_now = len([*Path("/proc/self/fd").iterdir()])  # other tests of this process may have left some
    resource.setrlimit(resource.RLIMIT_NOFILE, (open_now + 50, limits[1]))
    try:
        np.testing.assert_array_equal(store.gather(np.arange(200)), vectors)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_a_chunk_that_ends_too_early_is_named(tmp_path: Path) -> None:
    store = filled(tmp_path)
    path = sorted(tmp_path.rglob("*.f32"))[2]
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(DataError, match=r"000002\.f32: it ends before row 5"):
        store.gather(np.array([9]))


@pytest.mark.parametrize("byte", [32, 47, -1])
def test_a_bit_that_turns_between_writing_and_gathering_is_found(tmp_path: Path, byte: int) -> None:
    store = filled(tmp_path)
    path = sorted(tmp_path.rglob("*.f32"))[2]
    content = bytearray(path.read_bytes())
    content[byte] ^= 1
    path.write_bytes(content)
    row = 4 if byte > 0 else 9
    with pytest.raises(DataError, match=rf"000002\.f32: row {row - 4} is not what was written"):
        store.gather(np.arange(10))
    whole = np.array([n for n in range(10) if n != row])
    np.testing.assert_array_equal(store.gather(whole), VECTORS[whole])
    later = ChunkStore(tmp_path, "key", STARTS, 5)  # of a run that did not write it
    with pytest.raises(DataError, match=r"000002\.f32: it is missing or damaged"):
        later.gather(np.arange(10))


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


def test_a_chunk_that_has_to_be_there_is_named(tmp_path: Path) -> None:
    store = filled(tmp_path)
    np.testing.assert_array_equal(store.require(2), VECTORS[4:])
    next(tmp_path.rglob("000002.f32")).unlink()
    with pytest.raises(DataError, match=r"000002\.f32 is missing or damaged"):
        store.require(2)


def test_chunks_of_another_key_are_not_seen_but_are_removed(tmp_path: Path) -> None:
    filled(tmp_path)
    other = ChunkStore(tmp_path, "other", STARTS, 5)
    assert other.read(0) is None
    other.remove_others()
    assert not list(tmp_path.rglob("*.f32"))


def test_all_chunks_are_removed_once_they_are_of_no_use(tmp_path: Path) -> None:
    filled(tmp_path)
    remove_chunks(tmp_path)
    assert not list(tmp_path.rglob("*.f32"))
