"""Streams that are closed, full or of another encoding, as a parent process hands them over."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cocorec_cli.main import main

COMMAND = f"{sys.executable} -m cocorec_cli"


def shell(line: str, folder: Path, **environment: str) -> "subprocess.CompletedProcess[bytes]":
    """A line of ``sh``, in which ``cocorec`` is this one."""
    import os

    script = f'cocorec() {{ {COMMAND} "$@"; }}\n{line}\n'
    root = str(Path(__file__).parents[2])
    return subprocess.run(
        ["sh", "-c", script],
        cwd=folder,
        capture_output=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONPATH": root, **environment},
    )


@pytest.mark.parametrize(
    ("redirected", "code", "said"),
    [
        (">&-", 2, b"stdout is closed"),
        (">&- <&-", 2, b"stdout is closed"),
        ("<&- >&- 2>&-", 2, b""),
        ("2>&-", 0, b""),
        ("<&- 2>&-", 0, b""),
        (">/dev/full", 3, b"No space left on device"),
        (">/dev/full 2>/dev/full", 3, b""),
    ],
)
@pytest.mark.parametrize("arguments", ["status -w nowhere", "--version"])
def test_streams_that_take_nothing(tmp_path, redirected, code, said, arguments):
    ended = shell(f"cocorec {arguments} {redirected}", tmp_path)
    assert ended.returncode == code, ended
    assert said in ended.stderr
    assert b"Traceback" not in ended.stderr
    assert b"bug in cocorec" not in ended.stderr


def test_an_error_that_cannot_be_told_has_its_exit_code(tmp_path):
    for closed in ("2>&-", "2>/dev/full"):
        assert shell(f"cocorec train --dim 0 {closed}", tmp_path).returncode == 2


def test_a_terminal_that_knows_no_letters_beyond_ascii(tmp_path):
    ascii_only = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
    ended = shell("cocorec status -w n\u00f6where; cocorec status --json -w n\u00f6where", tmp_path, **ascii_only)
    assert (ended.returncode, ended.stderr) == (0, b"")
    table, _, text = ended.stdout.decode("ascii").partition("{")
    assert "work directory n\\xf6where" in table
    assert json.loads("{" + text)["result"]["workdir"] == "n\u00f6where"


def test_a_name_that_is_no_text_is_refused_and_shown(tmp_path):
    ended = shell("cocorec status -w \"$(printf 'n\\377')\" --json", tmp_path)
    assert (ended.returncode, b"Traceback" in ended.stderr) == (3, False), ended
    assert b"n\\udcff" in ended.stderr or b"not UTF-8" in ended.stderr


def test_streams_of_python_are_left_as_they_are(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("cocorec ")
