"""A disk that is full, a folder that cannot be written, Ctrl-C and SIGTERM, in every stage."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from stages.artifacts.pipeline import STAGES

NOBODY = 65_534


def copied(shop, folder):
    """A copy of the undisturbed run with all its artifacts."""
    return Path(shutil.copytree(shop.folder, folder))


def refused(ended):
    """Whether a command ended with a clear error for the user to act on."""
    return ended.code == 3 and "error: " in ended.err and "hint: " in ended.err and "Traceback" not in ended.err


@pytest.mark.parametrize("stage", STAGES)
def test_a_full_disk(stage, shop, warm, arguments, tmp_path, leftover_files):
    folder = copied(shop, tmp_path / "full")
    largest = max((folder / "artifacts" / name).stat().st_size for name in STAGES[stage].outputs)
    for limit in (0, 2_000, largest - 1):
        ended = warm(*arguments[stage], "--force", cwd=folder, file_size=limit)
        assert refused(ended), (limit, ended)
        assert "cannot write" in ended.err
        assert [name for earlier in STAGES for name in shop.unlike(earlier, folder)] == []
        assert leftover_files(folder) == []
    ended = warm(*arguments[stage], "--force", cwd=folder)
    assert ended.code == 0, ended.err
    assert shop.unlike(stage, folder) == []


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that every user can reach."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.parametrize("stage", STAGES)
def test_a_folder_that_cannot_be_written(stage, shop, warm, arguments, public_folder):
    folder = copied(shop, public_folder / "shop")
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    user = NOBODY if os.geteuid() == 0 else None  # nothing is read-only for root
    try:
        ended = warm(*arguments[stage], "--force", cwd=folder, user=user)
        assert refused(ended), ended
        assert "cannot write in artifacts" in ended.err
        assert [name for earlier in STAGES for name in shop.unlike(earlier, folder)] == []
    finally:
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o755)


@pytest.mark.parametrize("stage", STAGES)
def test_a_file_where_a_folder_has_to_be(stage, shop, warm, arguments, tmp_path):
    folder = shop.before(stage, tmp_path / "file")
    (folder / "artifacts").mkdir(exist_ok=True)
    (folder / "artifacts" / ".cocorec").write_text("a file")
    ended = warm(*arguments[stage], cwd=folder)
    assert refused(ended), ended
    assert "cannot write in artifacts" in ended.err


def test_a_file_where_the_model_has_to_be(shop, warm, arguments, tmp_path):
    folder = shop.before("train", tmp_path / "file")
    (folder / "artifacts" / "model").write_text("a file")
    ended = warm(*arguments["train"], cwd=folder)
    assert refused(ended), ended


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("stage", STAGES)
def test_an_interrupt(stage, number, code, shop, warm, arguments, tmp_path, leftover_files):
    share = 0.6
    for attempt in range(8):
        folder = shop.before(stage, tmp_path / f"interrupted-{attempt}")
        ended = warm(*arguments[stage], cwd=folder, send=number, after=share * shop.seconds[stage])
        if ended.code != 0:
            break
        share *= 0.7
    assert ended.code == code, ended
    assert "interrupted by" in ended.err
    assert "Traceback" not in ended.err
    assert leftover_files(folder) == []
    assert shop.differing(stage, folder) == []
    again = warm(*arguments[stage], cwd=folder)
    assert again.code == 0, again.err
    assert shop.unlike(stage, folder) == []
