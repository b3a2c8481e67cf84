import hashlib
import json
import os
from pathlib import Path

import pytest

from stages.artifacts.errors import DataError
from stages.artifacts.fingerprints import CACHE, Fingerprints


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
    with pytest.raises(DataError, match="cannot read"):
        Fingerprints(tmp_path).of(tmp_path)


def test_who_only_looks_leaves_the_cache_alone(tmp_path: Path, file: Path) -> None:
    known = Fingerprints(tmp_path, keep=False).of(file)
    assert not (tmp_path / CACHE).exists()
    assert Fingerprints(tmp_path).of(file) == known
    assert (tmp_path / CACHE).exists()
