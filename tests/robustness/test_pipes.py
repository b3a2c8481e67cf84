"""Pipes and devices where a file has to be: refused at once, in every place that takes a path."""

import os
import re
import shutil
from pathlib import Path

import pytest

from stages.artifacts import names
from stages.artifacts.fingerprints import CACHE
from stages.artifacts.pipeline import PIPELINE

READERS = {
    names.SEQUENCES: "train",
    names.ITEMS: "embed",
    names.EMBEDDINGS: "quantize",
    names.CODES: "train",
    names.MODEL_CONFIG: "evaluate",
    names.MODEL_WEIGHTS: "evaluate",
}
"""A stage that reads each artifact."""


@pytest.fixture
def folder(shop, tmp_path: Path) -> Path:
    """A copy of the undisturbed run beside a pipe that nobody writes to."""
    folder = Path(shutil.copytree(shop.folder, tmp_path / "shop"))
    os.mkfifo(folder / "pipe")
    return folder


@pytest.mark.parametrize("source", ["pipe", "/dev/zero", "/dev/null"])
@pytest.mark.parametrize(
    ("given", "code"),
    [
        (["--config", "{}"], 2),
        (["quantize", "--codebooks", "{}"], 3),
        (["compare", "{}", "again=artifacts"], 3),
        (["compare", "{}", "artifacts", "--json"], 3),
        (["preprocess", "{}"], 3),
        (["recommend", "--candidates", "{}"], 3),
        (["recommend", "--histories", "{}"], 3),
        (["recommend", "--exclude", "{}"], 3),
        (["recommend", "--where", "brand = 'a'", "--items", "{}"], 3),
        (["preprocess", "log.csv", "--items", "{}"], 3),
    ],
)
def test_a_path_on_the_command_line(folder, warm, arguments, given, code, source):
    more = arguments["train"] if given[0] == "--config" else []
    ended = warm(*more, *(part.format(source) for part in given), cwd=folder, after=30)
    assert (ended.code, "Traceback" in ended.err) == (code, False), ended
    assert re.search("a pipe or a device, not a file|is no file", ended.err)
    assert "hint: " in ended.err


@pytest.mark.parametrize("name", READERS)
def test_an_artifact(folder, warm, arguments, name):
    path = folder / "artifacts" / name
    path.unlink()
    os.mkfifo(path)
    for given in ([*arguments[READERS[name]], "--force"], ["status"], ["status", "--verify"]):
        ended = warm(*given, cwd=folder, after=30)
        assert (ended.code, "Traceback" in ended.err) == (3, False), ended
        assert path.name in ended.err


def test_the_cache(folder, warm, arguments):
    (folder / "artifacts" / CACHE).unlink()
    os.mkfifo(folder / "artifacts" / CACHE)
    for stage in PIPELINE:
        ended = warm(*arguments[stage.name], cwd=folder, after=60)
        assert ended.code == 0, ended


def test_a_folder_is_no_configuration(folder, warm, arguments):
    ended = warm(*arguments["train"], "--config", "artifacts", cwd=folder)
    assert ended.code == 2
    assert "artifacts is a folder, not a file" in ended.err


def test_a_configuration_that_nests_too_deeply(folder, warm, arguments):
    (folder / "c.toml").write_text("[train]\ndim = " + "[" * 5000 + "]" * 5000)
    ended = warm(*arguments["train"], "--config", "c.toml", cwd=folder)
    assert (ended.code, "Traceback" in ended.err) == (2, False)
    assert "too deep" in ended.err
