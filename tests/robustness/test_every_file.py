"""A changed byte of every file below a work directory is told, and what the hint says mends it.

Whatever stands there after all commands ran is found by itself: a new file of a new command joins without a line here.
"""

import random
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

from stages.artifacts import names
from stages.artifacts.copies import COPIES, note_origin
from stages.artifacts.fingerprints import CACHE
from stages.artifacts.lock import LOCK
from stages.artifacts.status import workdir_status
from stages.embed.chunks import ChunkStore

NOT_READ = {LOCK}
"""Files whose content decides nothing: that of the lock names its holder to others."""

SEED = 11
ROUNDS = 8


def damage(content: bytes, name: str, number: int) -> bytes:
    """A file's content with another bit: first at its ends, where formats keep their metadata, then anywhere."""
    size = len(content)
    rng = random.Random(f"{SEED}/{name}/{number}")
    ends = [0, size - 1, max(0, size - 40), min(8, size - 1)]
    place = ends[number] if number < len(ends) else rng.randrange(size)
    return content[:place] + bytes([content[place] ^ 1 << place % 8]) + content[place + 1 :]


@pytest.fixture(scope="module")
def searched(shop, warm, arguments, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The undisturbed run after a search, with a copy of a remote input, and chunks as a killed run leaves them."""
    folder = tmp_path_factory.mktemp("every") / "shop"
    shutil.copytree(shop.folder, folder)
    pairs = iter(arguments["train"][1:])
    table = [
        f"{flag[2:]} = {value if value.isdigit() else repr(value)}" for flag, value in zip(pairs, pairs, strict=True)
    ]
    (folder / "c.toml").write_text("\n".join(["[train]", *table]).replace("epochs = 5", "epochs = 1"))
    tune = ["tune", "--config", "c.toml", "--search", "dropout=0.1,0.2", "--trials", "2"]
    ended = warm(*tune, cwd=folder)
    assert ended.code == 0, ended.err
    copy = folder / "artifacts" / COPIES / "0123456789abcdef" / "log.csv"
    copy.parent.mkdir(parents=True)
    shutil.copyfile(folder / "log.csv", copy)
    note_origin(copy, {"address": "file:///elsewhere/log.csv", "version": "1"})
    chunks = ChunkStore(folder / "artifacts", "0123", np.array([0, 2, 3]), 4)
    chunks.write(0, np.ones((2, 4), np.float32))
    ended = warm("export", "--formats", "vectors,index,card", "--threads", "1", "--device", "cpu", cwd=folder)
    assert ended.code == 0, ended.err
    assert warm(*arguments["train"], cwd=folder).code == 0  # a cache that is filled
    return folder


def files(workdir: Path) -> list[str]:
    """All files that are no links, by name."""
    paths = (path for path in workdir.rglob("*") if path.is_file() and not path.is_symlink())
    return sorted(path.relative_to(workdir).as_posix() for path in paths)


def test_the_work_directory_has_files_of_all_kinds(searched):
    found = files(searched / "artifacts")
    for kind in (
        CACHE,
        LOCK,
        COPIES,
        ".cocorec/embed-",
        names.CHECKPOINT_DIR,
        names.STUDY,
        names.TRIALS,
        names.EXPORT,
        names.INDEX,
        names.MODEL_CARD,
        "tune/trial-",
    ):
        assert any(name.startswith(kind) for name in found), kind
    assert not [found for found in workdir_status(searched / "artifacts", verify=True) if found.state == "damaged"]


@pytest.mark.parametrize("number", range(ROUNDS))
def test_a_changed_byte_of_every_file_is_told(searched, number):
    workdir = searched / "artifacts"
    whole = {name: (workdir / name).read_bytes() for name in files(workdir) if name not in NOT_READ}
    try:
        for name, content in whole.items():
            (workdir / name).write_bytes(damage(content, name, number))
        told = {found.file: found for found in workdir_status(workdir, verify=True) if found.state == "damaged"}
    finally:
        for name, content in whole.items():
            (workdir / name).write_bytes(content)
    assert sorted(told) == sorted(whole)
    assert [name for name, found in told.items() if not found.hint] == []


def test_files_cut_short_are_told(searched):
    workdir = searched / "artifacts"
    # A journal that ends earlier is that of a run that was killed earlier.
    whole = {name: (workdir / name).read_bytes() for name in files(workdir) if name not in {*NOT_READ, names.STUDY}}
    try:
        for name, content in whole.items():
            (workdir / name).write_bytes(content[: len(content) // 2])
        told = {found.file for found in workdir_status(workdir, verify=True) if found.state == "damaged"}
    finally:
        for name, content in whole.items():
            (workdir / name).write_bytes(content)
    assert sorted(told) == sorted(whole)


HINTED = {
    names.ITEMS: "embed",
    names.EMBEDDINGS: "quantize",
    names.CODES: "train",
    names.QUANTIZER: "status",
    names.SEQUENCES: "train",
    names.MODEL_CONFIG: "evaluate",
    names.MODEL_WEIGHTS: "evaluate",
    names.HISTORY: "status",
    names.METRICS: "status",
    names.RANKS: "compare",
    names.BACKTEST: "status",
}
"""A command that meets each file."""


@pytest.mark.parametrize("name", HINTED)
def test_the_hint_mends_it(searched, warm, arguments, tmp_path, name):
    folder = Path(shutil.copytree(searched, tmp_path / "shop", symlinks=True))
    given = {"status": ["status", "--verify"], "compare": ["compare", "artifacts", "again=whole"]}
    shutil.copytree(folder / "artifacts", folder / "whole", symlinks=True)
    command = HINTED[name]
    path = folder / "artifacts" / name
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(content[:middle] + bytes([content[middle] ^ 4]) + content[middle + 1 :])
    meets = given.get(command) or [*arguments[command], "--force"]
    ended = warm(*meets, cwd=folder)
    assert ended.code == 3, ended
    assert path.name in ended.err
    found = re.findall(r"hint: .*`cocorec ([^`]+)`", ended.err)
    assert len(found) == 1, ended.err
    stage, *flags = shlex.split(found[0])
    mended = warm(*arguments[stage], *flags, cwd=folder)
    assert mended.code == 0, mended
    assert path.read_bytes() == content
    assert warm(*meets, cwd=folder).code == 0
