"""Every option that takes a path, by its own declaration, with what is no path for it: refused soon and in words."""

import os
import shutil
import stat
from itertools import cycle
from pathlib import Path
from signal import SIGTERM
from typing import Any, get_type_hints

import pytest
from typer.main import get_command

from cocorec_cli.main import COMMANDS, app

NAME = "a\x1b[31m\r[red]b\u202e.csv"

KINDS = ("pipe", "zero", "folder", "empty", "flipped", NAME, "closed")

WRITTEN = {"output", "to", "workdir", "log_to"}
"""Options that name what is written: a folder, a new name or an empty file may be right."""

MAY_BE = {("config", "empty"), ("reuse", "folder"), ("reuse", "flipped")}
"""What is right otherwise: no options, and nothing that could be kept."""

AS_TEXT = {("embed", "model"), ("recommend", "users"), ("train", "log_to")}
"""Options that may be a path or something else."""

GIVEN = {
    "download": ["amazon-2023", "Video_Games", "--base-url", "http://127.0.0.1:9/nothing"],
    "init": ["log.csv", "--items", "items.csv", "--force"],
    "similar": ["i1", "--device", "cpu"],
    "serve": ["--port", "0"],
    "compare": ["again=artifacts"],
    "report": ["--resamples", "10"],
    "export": ["--formats", "vectors", "--device", "cpu"],
    "tune": ["--search", "dropout=0.1:0.5", "--trials", "1"],
    "run": [],
    "status": [],
}
"""What else a command is given, where it is no stage."""


GROUP: Any = get_command(app)


def declared() -> list[tuple[str, str]]:
    """Command and parameter of everything that is a path."""
    found = [
        (entry.name, name)
        for entry in COMMANDS
        for name, hint in get_type_hints(GROUP.commands[entry.name].callback).items()
        if "Path" in str(hint) and (entry.name, name) != ("compare", "runs")
    ]
    return found + sorted(AS_TEXT) + [("compare", "runs")]


PATHS = declared()
SAMPLE = [(command, name, kind) for (command, name), kind in zip(PATHS, cycle(KINDS), strict=False)]


def test_the_declarations_are_found():
    assert {("train", "init_from"), ("recommend", "model_from"), ("report", "output"), ("tune", "config")} <= {*PATHS}
    assert len(PATHS) > 40


@pytest.fixture
def folder(shop, tmp_path: Path) -> Path:
    """A copy of the undisturbed run beside all that is no path for an option."""
    folder = Path(shutil.copytree(shop.folder, tmp_path / "shop"))
    os.mkfifo(folder / "pipe")
    (folder / "folder").mkdir()
    (folder / "empty").touch()
    (folder / "closed").write_text("closed")
    (folder / "closed").chmod(0)
    shutil.copytree(folder / "artifacts", folder / "flipped")
    for path in (folder / "flipped").rglob("*"):
        if path.is_file() and (content := bytearray(path.read_bytes())):
            content[len(content) // 2] ^= 0xFF
            path.write_bytes(content)
    if os.geteuid() == 0:  # who could replace the machine's own
        os.mknod(folder / "zero", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    else:
        (folder / "zero").symlink_to("/dev/zero")
    return folder


def attack(command: str, name: str, kind: str, folder: Path, warm, arguments) -> None:
    """Give an option what is no path for it, and look at the end of the command."""
    parameter = next(p for p in GROUP.commands[command].params if p.name == name)
    value = kind
    if kind == "flipped" and name not in ("init_from", "model_from", "reuse", "extend", "workdir", "runs"):
        value = "flipped/quantizer.safetensors" if name == "codebooks" else "flipped/items.parquet"
    given = [command, *GIVEN[command]] if command in GIVEN else [*arguments[command]]
    if parameter.param_type_name == "argument":
        given = [command, value, *(given[2:] if command in ("preprocess", "init") else given[1:])]
    else:
        given += [max(parameter.opts, key=len), value]
    given += ["--log", "tensorboard"] * (name == "log_to") + ["--where", "brand = 'a'"] * (name == "items")
    given = [part for part in given if command == "recommend" or part not in ("--where", "brand = 'a'")]
    if command in ("preprocess", "embed", "quantize", "train", "evaluate", "recommend") and name != "output":
        given += ["--normalize" if name == "reuse" else "--force"]
    serves = command == "serve" and (name, kind) in MAY_BE
    ended = warm(*given, cwd=folder, send=SIGTERM, after=10 if serves else 90, unprivileged=kind == "closed")
    allowed = (0, 2, 3) if name in WRITTEN or (name, kind) in MAY_BE else (2, 3)
    assert ended.code in allowed, (given, ended)
    assert "Traceback" not in ended.err
    assert not set("\x1b\u202e") & {*ended.out, *ended.err}
    soon = 30 if command != "download" else 60  # a folder may be right, and a server that is not there is asked again
    assert ended.code == 0 or ("error: " in ended.err and ended.seconds < soon), (given, ended)


@pytest.mark.parametrize(("command", "name", "kind"), SAMPLE)
def test_one_kind_each(command, name, kind, folder, warm, arguments):
    attack(command, name, kind, folder, warm, arguments)


@pytest.mark.crash
@pytest.mark.parametrize("kind", KINDS, ids=ascii)
@pytest.mark.parametrize(("command", "name"), PATHS)
def test_every_kind(command, name, kind, folder, warm, arguments):
    attack(command, name, kind, folder, warm, arguments)
