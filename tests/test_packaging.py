"""How cocorec is installed: by uv or pip, and in a container."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


def planned(*arguments: str, tmp_path: Path) -> str:
    """What ``make install`` would do in a checkout without an environment."""
    make = ["make", "--dry-run", f"VENV={tmp_path / 'venv'}", *arguments, "install"]
    done = subprocess.run(make, cwd=REPOSITORY, env=os.environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_make_takes_uv_where_it_is_and_pip_elsewhere(tmp_path: Path) -> None:
    by_pip = planned("UV=", tmp_path=tmp_path)
    assert "python3 -m venv" in by_pip
    assert "-m pip install" in by_pip
    by_uv = planned("UV=/somewhere/uv", tmp_path=tmp_path)
    assert "/somewhere/uv venv" in by_uv
    assert re.search(r"/somewhere/uv pip install .*--torch-backend auto -c constraints.txt", by_uv)
    assert "-m pip" not in by_uv
    assert "--torch-backend" not in planned("UV=uv", "TORCH_BACKEND=", tmp_path=tmp_path)


def test_uv_takes_one_build_of_torch_or_the_other() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    extras, uv = project["project"]["optional-dependencies"], project["tool"]["uv"]
    [torch] = [needed for needed in project["project"]["dependencies"] if needed.startswith("torch")]
    assert extras["cpu"] == extras["cuda"] == [torch]
    assert uv["conflicts"] == [[{"extra": "cpu"}, {"extra": "cuda"}]]
    indexes = {index["name"]: index for index in uv["index"]}
    assert [(source["extra"], source["index"]) for source in uv["sources"]["torch"]] == [
        ("cpu", "pytorch-cpu"),
        ("cuda", "pytorch-cuda"),
    ]
    assert all(index["explicit"] for index in indexes.values())  # nothing else comes from there


def test_no_lock_names_a_machine() -> None:
    lock = REPOSITORY / "uv.lock"
    if not lock.exists():
        pytest.skip("there is no uv.lock")
    public = ("https://pypi.org/", "https://files.pythonhosted.org/", "https://download.pytorch.org/")
    assert all(url.startswith(public) for url in re.findall(r'"(\w+://[^"]+)"', lock.read_text()))


def test_the_container_does_not_run_as_root() -> None:
    lines = (REPOSITORY / "Dockerfile").read_text().splitlines()
    last = max(number for number, line in enumerate(lines) if line.startswith("FROM "))
    users = [line.split()[1] for line in lines[last:] if line.startswith("USER ")]
    assert users and users[-1] not in ("root", "0")
    copied = [
        part for line in lines if line.startswith("COPY ") and "--from" not in line for part in line.split()[1:-1]
    ]
    allowed = [line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert sorted(copied) == sorted(allowed)
