"""``--preset``: a named set of options below the configuration file and the command line."""

from typing import get_args, get_type_hints

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from cocorec_cli.config import PRESETS, read_config
from cocorec_cli.main import app

NAMES = sorted(path.stem for path in PRESETS.glob("*.toml"))


@pytest.fixture
def trained(train_calls):
    """What the stage was called with."""
    return train_calls.calls


def test_each_file_is_a_choice():
    kind = get_type_hints(get_command(app).commands["train"].callback)["preset"]
    choices = next(get_args(part) for part in get_args(kind) if part is not type(None))
    assert sorted(choices) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_sets_its_options(name, cli, trained):
    assert cli("train", "--preset", name).code == 0
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    defaults, _ = read_config(PRESETS / f"{name}.toml", group)
    assert defaults["train"].items() <= trained[0].items()
    assert "preset" not in trained[0]


def test_file_environment_and_command_line_win(cli, trained, tmp_path, monkeypatch):
    (tmp_path / "own.toml").write_text('[train]\npreset = "paper"\nbatch_size = 7\nseed = 3\n')
    monkeypatch.setenv("COCOREC_TRAIN_EPOCHS", "9")
    for args in (
        ["--config", "own.toml", "--seed", "4"],
        ["--preset", "paper", "--config", "own.toml", "--seed", "4"],
        ["--config", "own.toml", "--preset", "paper", "--seed", "4"],
    ):
        assert cli("train", *args).code == 0
    monkeypatch.setenv("COCOREC_CONFIG", "own.toml")
    assert cli("train", "--seed", "4").code == 0
    assert cli("train", "--preset", "paper", "--seed", "4").code == 0
    assert len(trained) == 5
    for call in trained:
        assert (call["batch_size"], call["seed"], call["epochs"], call["targets"]) == (7, 4, 9, "last")


def test_run_takes_the_preset_of_the_file(cli, trained, tmp_path):
    (tmp_path / "cocorec.toml").write_text('[train]\npreset = "paper"\nseed = 3\n')
    assert cli("run", "--from", "train", "--until", "train").code == 0
    assert (trained[0]["targets"], trained[0]["seed"]) == ("last", 3)


def test_an_unknown_preset_is_refused(cli, trained):
    outcome = cli("train", "--preset", "nope")
    assert outcome.code == 2
    assert "paper" in outcome.err
    assert not trained
