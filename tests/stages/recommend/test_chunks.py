import pyarrow as pa
import pytest

from stages.frame.run import StageRun
from stages.recommend import RecommendOptions
from stages.recommend.chunks import ChunkStore, remove_chunks

TABLE = pa.table({"user_id": ["a", "b"]})


@pytest.fixture
def store(tmp_path):
    """Makes stores of runs with some options and surroundings."""

    def store(surroundings=None, inputs=(), **options):
        run = StageRun("recommend", RecommendOptions(**options), tmp_path, None)
        run.inputs |= dict(inputs)
        return ChunkStore(run, surroundings or {"threads": 1})

    return store


def test_what_was_written_is_read_again(store):
    assert store().read(0) is None
    store().write(0, TABLE)
    assert store().read(0).equals(TABLE)
    assert store().read(1) is None


def test_what_decides_the_lists_decides_the_folder(store):
    store().write(0, TABLE)
    assert store(top=5).read(0) is None
    assert store(inputs={"items.parquet": "other"}).read(0) is None
    assert store({"threads": 2}).read(0) is None
    assert store(batch_size=7, output="lists.csv").read(0).equals(TABLE)


def test_a_damaged_chunk_counts_as_missing(store, tmp_path):
    store().write(3, TABLE)
    (path,) = tmp_path.rglob("000003.parquet")
    content = bytearray(path.read_bytes())
    path.write_bytes(content[:-20])
    assert store().read(3) is None
    content[len(content) // 3] ^= 1
    path.write_bytes(content)
    assert store().read(3) is None


def test_chunks_of_all_options_are_removed(store, tmp_path):
    store().write(0, TABLE)
    store(top=5).write(0, TABLE)
    (tmp_path / ".cocorec" / "other").mkdir()
    remove_chunks(tmp_path)
    assert [path.name for path in (tmp_path / ".cocorec").iterdir()] == ["other"]
    remove_chunks(tmp_path)
