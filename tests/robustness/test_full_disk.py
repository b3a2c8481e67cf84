"""A small file system that runs full, at one write after the other of every stage."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from stages.artifacts import names
from stages.artifacts.pipeline import STAGES

PAGE = os.sysconf("SC_PAGE_SIZE")
MOST = 4**8


REFUSED = {
    "preprocess": [names.ITEMS, names.SEQUENCES],
    "embed": [".cocorec", "*.f32", names.EMBEDDINGS],
    "quantize": [names.QUANTIZER],
    "train": ["best-*.safetensors", "last.safetensors"],
    "evaluate": [names.RANKS, names.BACKTEST],
    "recommend": ["000000.parquet", names.RECOMMENDATIONS],
}
"""The writes of each stage that a disk of some size has no room for; smaller ones fit wherever these do."""


class Disk:
    """A tmpfs of its own.

    Args:
        folder: where it is mounted.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def leave(self, pages: int | None) -> None:
        """Leave room for so many pages beside what is there now; ``None`` for plenty."""
        found = os.statvfs(self.folder)
        size = MOST if pages is None else max(1, found.f_blocks - found.f_bfree + pages)
        subprocess.run(["mount", "-o", f"remount,size={size * PAGE}", self.folder], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={MOST * PAGE}", "tmpfs", folder]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no command mount")
    if done.returncode:
        pytest.skip(f"no tmpfs can be mounted here ({done.stderr.strip()}); RLIMIT_FSIZE alone stands for a full disk")
    yield Disk(folder)
    subprocess.run(["umount", folder], check=True)


def rooms(stage: str, artifacts: Path) -> list[int]:
    """Pages of room at which one write after the other finds half of what it needs, then plenty.

    Args:
        stage: the stage.
        artifacts: those of a run that ended, whose times tell in which order they were written.
    """
    made = [artifacts / name for name in STAGES[stage].outputs]
    made += (artifacts / names.CHECKPOINT_DIR).iterdir() if stage == "train" else []
    sizes = [path.stat().st_size for path in sorted(made, key=lambda path: path.stat().st_mtime_ns)]
    if stage == "embed":
        sizes = [spooled(artifacts / names.ITEMS), *sizes, *sizes]  # as many vectors are in the chunks before
    found, before = [0, 1], 0
    for size in sizes:
        pages = -(-size // PAGE)
        found.append(before + max(pages // 2, min(pages, 2)))
        before += pages
    return found


def spooled(items: Path) -> int:
    """Bytes of the distinct texts."""
    table = pq.read_table(items)
    texts = {*chain(*(table[view].to_pylist() for view in table.column_names[2:]))}
    return sum(len(text.encode()) for text in texts if text)


@pytest.mark.parametrize("stage", STAGES)
def test_at_every_write(stage, disk, shop, warm, arguments, leftover_files):
    refused = set()
    for number, room in enumerate([*rooms(stage, shop.folder / "artifacts"), None]):
        folder = shop.before(stage, disk.folder / f"shop-{number}")
        disk.leave(room)
        ended = warm(*arguments[stage], cwd=folder)
        disk.leave(None)
        assert ended.code == (3 if room is not None else 0), (room, ended)
        assert "Traceback" not in ended.err
        assert leftover_files(folder) == []
        assert shop.differing(stage, folder) == []
        if room is not None:
            assert "hint: " in ended.err
            refused |= set(re.findall(r"error: cannot write (?:in )?([^:]+)", ended.err))
            shutil.rmtree(folder)
    for pattern in REFUSED[stage]:
        assert any(Path(name).match(pattern) for name in refused), (pattern, refused)
    assert shop.unlike(stage, folder) == []
