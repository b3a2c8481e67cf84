import hashlib
import json
import os
from pathlib import Path

import pyarrow as pa
import pytest

from stages.artifacts.contents import content_fingerprint
from stages.artifacts.errors import DataError
from stages.artifacts.fingerprints import CACHE, Fingerprints
from stages.artifacts.lineage import KEY, Lineage
from stages.artifacts.tables import write_table


def sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "data.bin"
    path.write_bytes(b"one")
    return path


def test_is_the_sha256_of_the_content(tmp_path: Path, file: Path) -> None:
    assert Fingerprints(tmp_path).of(file) == sha256(b"one")


def test_changed_content_is_hashed_again(tmp_path: Path, file: Path) -> None:
    fingerprints = Fingerprints(tmp_path)
    fingerprints.of(file)
    file.write_bytes(b"longer")
    assert fingerprints.of(file) == sha256(b"longer")
    assert Fingerprints(tmp_path).of(file) == sha256(b"longer")


def test_replaced_file_of_same_size_and_time_is_noticed(tmp_path: Path, file: Path) -> None:
    fingerprints = Fingerprints(tmp_path)
    fingerprints.of(file)
    times = file.stat()
    other = tmp_path / "other"
    other.write_bytes(b"two")
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    other.replace(file)
    assert fingerprints.of(file) == sha256(b"two")


def test_unchanged_file_is_not_read_again(tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Fingerprints(tmp_path).of(file)
    monkeypatch.setattr("stages.artifacts.fingerprints.fingerprint", lambda path: sha256(b"read"))
    assert Fingerprints(tmp_path).of(file) == sha256(b"one")
    assert Fingerprints(tmp_path, trust_cache=False).of(file) == sha256(b"read")
    assert Fingerprints(tmp_path).of(file) == sha256(b"read")


def test_changed_content_under_the_old_time_is_noticed(tmp_path: Path, file: Path) -> None:
    Fingerprints(tmp_path).of(file)
    times = file.stat()
    with file.open("r+b") as stream:
        stream.write(b"two")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert Fingerprints(tmp_path).of(file) == sha256(b"two")


@pytest.mark.parametrize("content", ["", "[]", '{"a": 1', "null", "entry"])
def test_damaged_cache_costs_time_alone(tmp_path: Path, file: Path, content: str) -> None:
    (tmp_path / CACHE).parent.mkdir()
    (tmp_path / CACHE).write_text(content.replace("entry", json.dumps({str(file): 5})))
    assert Fingerprints(tmp_path).of(file) == sha256(b"one")


def test_work_directory_that_does_not_exist_is_not_made(tmp_path: Path, file: Path) -> None:
    assert Fingerprints(tmp_path / "none").of(file) == sha256(b"one")
    assert not (tmp_path / "none").exists()


def test_missing_artifact_names_its_stage(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"codes\.parquet does not exist\nRun `cocorec quantize` first"):
        Fingerprints(tmp_path).of(tmp_path / "codes.parquet")
    with pytest.raises(DataError, match="is a folder, not a file"):
        Fingerprints(tmp_path).of(tmp_path)


def test_who_only_looks_leaves_the_cache_alone(tmp_path: Path, file: Path) -> None:
    known = Fingerprints(tmp_path, keep=False).of(file)
    assert not (tmp_path / CACHE).exists()
    assert Fingerprints(tmp_path).of(file) == known
    assert (tmp_path / CACHE).exists()


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "embeddings.parquet"
    write_table(path, pa.table({"item": [1, 2]}), Lineage("embed", {}, {}))
    return path


def test_contents_and_bytes_are_remembered_apart(tmp_path: Path, table: Path) -> None:
    fingerprints = Fingerprints(tmp_path)
    contents, whole = fingerprints.of_contents(table), fingerprints.of(table)
    assert contents == content_fingerprint(table, KEY)
    assert whole == sha256(table.read_bytes())
    again = Fingerprints(tmp_path)
    assert (again.of(table), again.of_contents(table)) == (whole, contents)


def test_contents_are_read_once(tmp_path: Path, table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = Fingerprints(tmp_path).of_contents(table)
    monkeypatch.setattr("stages.artifacts.fingerprints.content_fingerprint", lambda path, key: "content-sha256:read")
    assert Fingerprints(tmp_path).of_contents(table) == known
    assert Fingerprints(tmp_path, trust_cache=False).of_contents(table) == "content-sha256:read"


def test_other_facts_have_the_same_contents(tmp_path: Path, table: Path) -> None:
    before = Fingerprints(tmp_path).of_contents(table), Fingerprints(tmp_path).of(table)
    write_table(table, pa.table({"item": [1, 2]}), Lineage("embed", {}, {}, {"texts": 9}))
    after = Fingerprints(tmp_path).of_contents(table), Fingerprints(tmp_path).of(table)
    assert after[0] == before[0]
    assert after[1] != before[1]
    write_table(table, pa.table({"item": [2, 1]}), Lineage("embed", {}, {}))
    assert Fingerprints(tmp_path).of_contents(table) != before[0]


def test_the_kind_of_fingerprint_that_was_recorded(tmp_path: Path, table: Path) -> None:
    fingerprints = Fingerprints(tmp_path)
    assert fingerprints.like(table, "sha256:00") == fingerprints.of(table)
    assert fingerprints.like(table, "content-sha256:00") == fingerprints.of_contents(table)


def test_contents_of_a_file_that_is_not_what_was_written_have_none(tmp_path: Path, table: Path) -> None:
    content = bytearray(table.read_bytes())
    content[content.index(b"embed")] ^= 1  # in the lineage, which is no content
    table.write_bytes(content)
    with pytest.raises(DataError, match=r"embeddings\.parquet is damaged"):
        Fingerprints(tmp_path).of_contents(table)


@pytest.mark.parametrize("kind", ["of", "of_contents"])
def test_a_flipped_digit_in_the_cache_is_never_believed(tmp_path: Path, table: Path, kind: str) -> None:
    known = getattr(Fingerprints(tmp_path), kind)(table)
    cache = tmp_path / CACHE
    text = cache.read_text()
    digits = known.partition(":")[2]
    start = text.index(digits)
    for place in (start, start + 31, start + 63):
        other = "0" if text[place] != "0" else "1"
        cache.write_text(text[:place] + other + text[place + 1 :])
        assert getattr(Fingerprints(tmp_path), kind)(table) == known


@pytest.mark.parametrize("place", range(5))
def test_a_changed_entry_of_the_cache_is_never_believed(tmp_path: Path, table: Path, place: int) -> None:
    """Not even one whose state fits the file by chance."""
    known = Fingerprints(tmp_path).of_contents(table)
    entries = json.loads((tmp_path / CACHE).read_text())
    (entry,) = entries.values()
    entry[place] = "content-sha256:" + "0" * 64 if place == 4 else entry[place] + 1
    (tmp_path / CACHE).write_text(json.dumps(entries))
    assert Fingerprints(tmp_path).of_contents(table) == known


def test_a_killed_command_leaves_nothing_that_the_next_one_keeps(tmp_path: Path, file: Path) -> None:
    """Also where none holds the lock, as of those that only read."""
    cache = tmp_path / CACHE
    cache.parent.mkdir()
    cache.with_name(f".{cache.name}.tmp-0123456789ab").write_text("{")
    Fingerprints(tmp_path).of(file)
    assert [path.name for path in cache.parent.iterdir()] == [cache.name]
