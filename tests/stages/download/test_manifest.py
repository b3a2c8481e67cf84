import hashlib
import json
from pathlib import Path

import pytest

from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.names import DOWNLOAD
from stages.download.manifest import Manifest, Record

CONTENT = {"dataset": "amazon-2023", "category": "Books"}
RECORD = Record("https://host/a", 3, hashlib.sha256(b"abc").hexdigest(), '"tag"')


def test_records_are_read_again_and_stand_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    manifest = Manifest(folder, CONTENT)
    assert manifest.records == {}
    assert not folder.exists()
    manifest.record("b.gz", RECORD)
    manifest.record("a.gz", Record("https://host/b", 0, "0" * 64))
    assert Manifest(folder, CONTENT).records == manifest.records
    written = json.loads((folder / DOWNLOAD).read_text())
    assert list(written["files"]) == ["a.gz", "b.gz"]
    assert {key: written[key] for key in CONTENT} == CONTENT


def test_a_later_record_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    manifest = Manifest(tmp_path, CONTENT)
    manifest.record("a", Record("https://elsewhere/a", 1, "0" * 64))
    manifest.record("a", RECORD)
    assert Manifest(tmp_path, CONTENT).records == {"a": RECORD}


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    Manifest(tmp_path, CONTENT).record("a", RECORD)
    with pytest.raises(UsageError, match=r"holds amazon-2023, Books, not amazon-2023, Software\n.*--to"):
        Manifest(tmp_path, {**CONTENT, "category": "Software"})


@pytest.mark.parametrize(
    "value", [[], {}, {"files": {}}, {**CONTENT, "files": []}, {**CONTENT, "files": {"a": {"url": "x"}}}]
)
def test_what_is_no_manifest_is_refused(tmp_path: Path, value: object) -> None:
    (tmp_path / DOWNLOAD).write_text(json.dumps(value))
    with pytest.raises(DataError, match=r"download\.json is not what `cocorec download` writes\n.*--to"):
        Manifest(tmp_path, CONTENT)


def test_differences_are_told_in_words(tmp_path: Path) -> None:
    manifest, path = Manifest(tmp_path, CONTENT), tmp_path / "a"
    with pytest.raises(KeyError):
        manifest.difference(path)
    manifest.record("a", RECORD)
    assert manifest.difference(path) == "is missing"
    path.write_bytes(bytes(1234))
    assert manifest.difference(path) == "has 1,234 bytes instead of 3"
    path.write_bytes(b"abd")
    assert manifest.difference(path) == "has changed since it was downloaded"
    path.write_bytes(b"abc")
    assert manifest.difference(path) is None
