import base64
import gzip
import hashlib
import random
from pathlib import Path

import pytest

from stages.download import checks as module
from stages.download.checks import announced_sha256, gzip_problem, sha256_of

DIGEST = hashlib.sha256(b"data").digest()
TEXT = base64.b64encode(DIGEST).decode()
OTHER = base64.b64encode(hashlib.md5(b"data").digest()).decode()
CONTENT = random.Random(0).randbytes(100_000)
PACKED = gzip.compress(CONTENT, 1, mtime=0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.gz"


def ignored(read: int) -> None:
    """No progress is shown."""


def test_the_checksum_of_a_file(path: Path) -> None:
    path.write_bytes(CONTENT)
    assert sha256_of(path) == hashlib.sha256(CONTENT).hexdigest()


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({}, None),
        ({"Repr-Digest": f"sha-256=:{TEXT}:"}, True),
        ({"Digest": f"SHA-256={TEXT}"}, True),
        ({"Digest": f"md5={OTHER}, sha-256={TEXT}"}, True),
        ({"Repr-Digest": f"sha-256=:{TEXT}:, md5=:{OTHER}:"}, True),
        ({"Repr-Digest": f"md5=:{OTHER}:", "Digest": f"sha-256={TEXT}"}, True),
        ({"Repr-Digest": "sha-256=:A:", "Digest": f"sha-256={TEXT}"}, True),
        ({"Repr-Digest": f"sha-256=:{OTHER}:"}, None),
        ({"Digest": f"x-sha-256={TEXT}"}, None),
        ({"Content-Digest": f"sha-256=:{TEXT}:"}, None),
    ],
)
def test_the_checksum_that_a_server_announces(headers: dict[str, str], found: bool | None) -> None:
    assert announced_sha256(headers) == (DIGEST.hex() if found else None)


@pytest.mark.parametrize("members", [1, 3])
def test_a_whole_file_is_read_to_its_end(path: Path, members: int) -> None:
    path.write_bytes(PACKED * members)
    read: list[int] = []
    assert gzip_problem(path, read.append) is None
    assert sum(read) == path.stat().st_size


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "it is empty"),
        (PACKED[:-1], "it ends too early"),
        (PACKED[:500], "it ends too early"),
        (b"<html>", "Not a gzipped file"),
        (PACKED + b"more", "Not a gzipped file"),
        (PACKED[:-8] + bytes(4) + PACKED[-4:], "CRC check failed"),
        (PACKED[:-4] + bytes(4), "Incorrect length of data produced"),
        (PACKED[:10] + b"\xff" * 20 + PACKED[30:], "Error -3"),
    ],
)
def test_what_is_wrong_is_told(path: Path, content: bytes, problem: str) -> None:
    path.write_bytes(content)
    assert problem in (gzip_problem(path, ignored) or "")


def test_what_unpacks_without_bounds_is_left(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(gzip.compress(bytes(4 << 20), mtime=0))
    assert gzip_problem(path, ignored) is None  # small files may
    monkeypatch.setattr(module, "_HARMLESS", 1 << 20)
    assert gzip_problem(path, ignored) == "it unpacks to more than 100 times its size"
