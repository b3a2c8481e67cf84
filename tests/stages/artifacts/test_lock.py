import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from stages.artifacts.errors import DataError
from stages.artifacts.lock import LOCK, locked

HOLD = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    from stages.artifacts.lock import locked
    with locked(Path(sys.argv[1]), "train"):
        print("locked", flush=True)
        time.sleep(600)
    """
)


def test_second_run_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    with locked(tmp_path / "new", "embed"):
        with (
            pytest.raises(DataError, match=rf"is in use by `cocorec embed` \(process {os.getpid()}\)\n.*--workdir"),
            locked(tmp_path / "new", "train"),
        ):
            pass
        with locked(tmp_path / "other", "train"):
            pass
    with locked(tmp_path / "new", "train"):
        assert "train" in (tmp_path / "new" / LOCK).read_text()


def test_failure_inside_gives_the_lock_back(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="x"), locked(tmp_path, "embed"):
        raise ValueError("x")
    with locked(tmp_path, "embed"):
        pass


def test_other_process_is_kept_out_until_it_dies(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout and process.stdout.readline() == "locked\n"
        expected = rf"`cocorec train` \(process {process.pid}\)"
        with pytest.raises(DataError, match=expected), locked(tmp_path, "train"):
            pass
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    with locked(tmp_path, "train"):
        pass


def test_leftovers_of_a_killed_run_are_removed(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    leftovers = [tmp_path / ".a.parquet.tmp-0123", tmp_path / "model" / ".b.json.tmp-4567"]
    for path in leftovers:
        path.write_text("half")
    with locked(tmp_path, "embed"):
        assert not any(path.exists() for path in leftovers)


def test_planted_link_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("precious")
    (tmp_path / LOCK).parent.mkdir()
    (tmp_path / LOCK).symlink_to(target)
    with pytest.raises(DataError, match="cannot write"), locked(tmp_path, "embed"):
        pass
    assert target.read_text() == "precious"
