"""Paths that are no UTF-8, and outputs that show ASCII alone."""

import json
import os
import subprocess
import sys

import pytest

LATIN = b"w\xe9"


def _cocorec(folder, *arguments, **environment):
    command = [sys.executable, "-m", "cocorec_cli", *arguments]
    places = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.run(
        command, cwd=folder, capture_output=True, timeout=120, check=False, env={**os.environ, **places, **environment}
    )


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["train", "-w", LATIN], rb"--workdir w\xe9"),
        (["status", "-w", LATIN], rb"--workdir w\xe9"),
        (["run", "--config", "c.toml", "-w", LATIN], rb"--workdir w\xe9"),
        (["embed", "--model", b"./m\xe9"], rb"--model ./m\xe9"),
        (["quantize", "--codebooks", LATIN], rb"--codebooks w\xe9"),
        (["compare", LATIN, "b"], rb"--runs w\xe9"),
        (["download", "amazon-2023", "Baby_Products", "--to", LATIN], rb"--to w\xe9"),
    ],
)
def test_a_path_that_is_no_utf8_is_named(tmp_path, arguments, named):
    (tmp_path / "c.toml").write_text("")
    (tmp_path / os.fsdecode(LATIN)).mkdir()
    done = _cocorec(tmp_path, *arguments)
    assert done.returncode == 3, done.stderr
    assert done.stderr.startswith(b"error: " + named + b": the name is not UTF-8\nhint: Rename it")
    assert [path.name for path in tmp_path.iterdir() if path.name != "c.toml"] == [os.fsdecode(LATIN)]
    assert not list((tmp_path / os.fsdecode(LATIN)).iterdir())


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def test_an_ascii_locale_is_told_how_to_read_the_path(tmp_path):
    done = _cocorec(tmp_path, "status", "-w", "w\u00e9".encode(), **ASCII)
    assert done.returncode == 3
    assert b"LC_ALL=C.UTF-8" in done.stderr
    assert b"Traceback" not in done.stderr


def test_an_ascii_locale_gets_json_in_ascii_and_tables_with_escapes(structured):
    for arguments in (["--json"], []):
        done = _cocorec(
            structured.parent, "quantize", "-w", str(structured), "--codebook-size", "8", *arguments, **ASCII
        )
        assert done.returncode == 0, done.stderr
        done.stdout.decode("ascii")
    done = _cocorec(structured.parent, "status", "-w", str(structured), "--json", **ASCII)
    json.loads(done.stdout)
