import hashlib

import pytest

from stages.artifacts.atomic import write_json
from stages.artifacts.errors import DataError
from stages.artifacts.exported import check_exported, read_manifest, require_listed
from stages.artifacts.lineage import KEY, Lineage
from stages.artifacts.status import workdir_status


@pytest.fixture
def workdir(tmp_path):
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "index.faiss").write_bytes(b"index")
    files = {"index.faiss": {"bytes": 5, "sha256": hashlib.sha256(b"index").hexdigest()}}
    write_json(folder / "export.json", {"files": files, KEY: Lineage("export", {}, {}).metadata()})
    return tmp_path


def damaged(workdir):
    return {found.file: found for found in workdir_status(workdir, verify=True) if found.state == "damaged"}


def test_files_are_held_against_what_lists_them(workdir):
    folder = workdir / "export"
    assert require_listed(folder, read_manifest(folder), "index.faiss") == hashlib.sha256(b"index").hexdigest()
    assert damaged(workdir) == {}
    (folder / "notes.txt").write_text("mine")
    check_exported(folder / "notes.txt")
    (folder / "index.faiss").write_bytes(b"other")
    [(name, found)] = damaged(workdir).items()
    assert (name, found.stage) == ("export/index.faiss", "export")
    assert "half-written, damaged or replaced" in found.reason and "cocorec export --force" in str(found.hint)


def test_where_the_list_is_damaged_its_files_cannot_be_verified(workdir):
    content = (workdir / "export" / "export.json").read_bytes()
    (workdir / "export" / "export.json").write_bytes(content.replace(b"index", b"iNdex", 1))
    assert set(damaged(workdir)) == {"export/export.json", "export/index.faiss"}


@pytest.mark.parametrize("files", [None, 1, {"a": 1}, {"../a": {"bytes": 1, "sha256": "0"}}, {"a": {"bytes": "1"}}])
def test_a_list_that_is_none_is_refused(workdir, files):
    path = workdir / "export" / "export.json"
    write_json(path, {"files": files, KEY: Lineage("export", {}, {}).metadata()})
    with pytest.raises(DataError, match="not the description of an export"):
        read_manifest(workdir / "export")


def test_what_another_stage_wrote_is_no_export(workdir):
    write_json(workdir / "export" / "export.json", {"files": {}, KEY: Lineage("tune", {}, {}).metadata()})
    with pytest.raises(DataError, match="not the description of an export"):
        read_manifest(workdir / "export")


def test_a_file_that_is_not_listed(workdir):
    with pytest.raises(DataError, match=r"export\.json lists no user_encoder\.onnx"):
        require_listed(workdir / "export", read_manifest(workdir / "export"), "user_encoder.onnx")
