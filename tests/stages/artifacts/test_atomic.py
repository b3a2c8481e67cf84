import json
import os
import resource
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from stages.artifacts.atomic import atomic_path, read_json, remove_leftovers, temporary_prefix, write_json
from stages.artifacts.errors import DataError


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_appears_only_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    with atomic_path(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
        assert temporary.parent == path.parent
    assert path.read_text() == "whole"
    assert names(path.parent) == {"a.txt"}


def test_failure_keeps_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(ValueError, match="broken"), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise ValueError("broken")
    assert path.read_text() == "old"
    assert names(tmp_path) == {"a.txt"}


def test_readable_by_others_as_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with atomic_path(tmp_path / "a"):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_folder_that_cannot_be_made_names_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"cannot write [\s\S]*--workdir"), atomic_path(tmp_path / "file" / "a"):
        pass
    with pytest.raises(DataError, match="with --to"), atomic_path(tmp_path / "file" / "a", option="--to"):
        pass


def test_nothing_takes_the_place_of_a_pipe_or_a_device(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/null")
    (tmp_path / "to a file").symlink_to(tmp_path / "a.txt")
    (tmp_path / "a.txt").write_text("old")
    for place in ("pipe", "link", "."):
        refused = pytest.raises(DataError, match=r"is a (pipe or a device|folder), not a file[\s\S]*--output")
        with refused, atomic_path(tmp_path / place, option="--output"):
            raise AssertionError("begun")
    refused = pytest.raises(DataError, match="a pipe or a device")
    with Path(tmp_path / "a.txt").open() as file, refused, atomic_path(Path(f"/dev/fd/{file.fileno()}")):
        raise AssertionError("begun")
    assert names(tmp_path) == {"pipe", "link", "to a file", "a.txt"}
    with atomic_path(tmp_path / "to a file") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "to a file").read_text() == "new"


def test_full_disk_keeps_what_was_there(tmp_path: Path) -> None:
    """A limit on the size of files stands in for the disk that is full."""
    path = tmp_path / "a.txt"
    path.write_text("old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(DataError, match="cannot write"), atomic_path(path) as temporary:
            temporary.write_text("x" * 2000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_text() == "old"
    assert names(tmp_path) == {"a.txt"}


def test_killed_writer_leaves_the_old_file_and_a_leftover_that_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    code = """
        import os, signal, sys
        from pathlib import Path
        from stages.artifacts.atomic import atomic_path
        with atomic_path(Path(sys.argv[1])) as temporary:
            temporary.write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code), path])
    assert done.returncode == -signal.SIGKILL
    assert path.read_text() == "old"
    left = names(tmp_path)
    assert len(left) == 2
    with atomic_path(tmp_path / "b.txt", option="--output"), atomic_path(tmp_path / "c.txt"):
        assert left <= names(tmp_path)  # of another file
    with atomic_path(path, option="--output"):
        assert not left & names(tmp_path) - {"a.txt"}
    (tmp_path / temporary_prefix("a.txt")).write_text("left")
    (tmp_path / ".hidden").write_text("of somebody else")
    remove_leftovers(tmp_path)
    assert names(tmp_path) == {"a.txt", "b.txt", "c.txt", ".hidden"}


def test_json_round_trip_in_the_order_of_the_keys(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": [1, None], "a": "é"})
    assert read_json(tmp_path / "a.json") == {"a": "é", "b": [1, None]}
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert text.index('"b"') < text.index('"a"') and "é" in text and text.endswith("}\n")


def test_json_that_is_missing_or_damaged(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"metrics\.json does not exist\nRun `cocorec evaluate` first"):
        read_json(tmp_path / "metrics.json")
    (tmp_path / "a.json").write_text(json.dumps([1])[:-1])
    with pytest.raises(DataError, match=r"cannot read .*a\.json"):
        read_json(tmp_path / "a.json")
