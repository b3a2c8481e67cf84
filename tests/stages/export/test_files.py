import pytest

from stages.artifacts.errors import DataError
from stages.artifacts.exported import read_manifest
from stages.export.files import fresh_export, staged
from stages.export.options import ExportOptions
from stages.frame.run import StageRun


@pytest.fixture
def run(tmp_path):
    return StageRun("export", ExportOptions(), tmp_path, None)


def _export(run, target, **files):
    with staged(target, run) as staging:
        for name, content in files.items():
            (staging.folder / name.replace("_faiss", ".faiss")).write_text(content)
        staging.finish({"model": "text"})


def test_files_appear_with_what_lists_them(run, tmp_path):
    _export(run, tmp_path / "export", index_faiss="one")
    assert sorted(path.name for path in (tmp_path / "export").iterdir()) == ["export.json", "index.faiss"]
    assert read_manifest(tmp_path / "export")["files"]["index.faiss"]["bytes"] == 3
    assert fresh_export(tmp_path / "export", run) == {"model": "text", "files": {"index.faiss": {"bytes": 3}}}


def test_those_of_an_earlier_export_are_taken_away_and_others_stay(run, tmp_path):
    target = tmp_path / "export"
    _export(run, target, index_faiss="one")
    (target / "notes.txt").write_text("mine")
    (target / ".export.tmp-0123").mkdir()
    _export(run, target, **{"README.md": "two"})
    assert sorted(path.name for path in target.iterdir()) == ["README.md", "export.json", "notes.txt"]


def test_an_export_that_fails_leaves_the_earlier_one(run, tmp_path):
    target = tmp_path / "export"
    _export(run, target, index_faiss="one")
    with pytest.raises(DataError, match="no"), staged(target, run) as staging:
        (staging.folder / "index.faiss").write_text("two")
        raise DataError("no")
    assert (target / "index.faiss").read_text() == "one"
    assert sorted(path.name for path in target.iterdir()) == ["export.json", "index.faiss"]
    assert fresh_export(target, run) is not None


def test_a_folder_that_cannot_be_made_is_named(run, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"cannot write in .*file") as caught, staged(tmp_path / "file", run):
        raise AssertionError
    assert "--output" in str(caught.value.hint)


@pytest.mark.parametrize("change", ["text", "missing", "option", "manifest"])
def test_what_is_not_as_it_was_written_is_not_fresh(run, tmp_path, change):
    target = tmp_path / "export"
    _export(run, target, index_faiss="one")
    if change == "text":
        (target / "index.faiss").write_text("two")
    elif change == "missing":
        (target / "index.faiss").unlink()
    elif change == "option":
        run.recorded["index"] = "hnsw"
    else:
        (target / "export.json").write_text("{")
    assert fresh_export(target, run) is None
