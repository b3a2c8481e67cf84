"""``cocorec`` under torchrun: which commands, and who talks."""

import json

import pytest

from cocorec_cli.envelope import Envelope
from cocorec_cli.together import is_silent, note_failure


@pytest.fixture
def second(monkeypatch):
    """This process is the second of two."""
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}.items():
        monkeypatch.setenv(name, value)


def test_the_first_talks_and_one_that_is_alone(second, monkeypatch):
    assert is_silent()
    monkeypatch.setenv("RANK", "0")
    assert not is_silent()
    monkeypatch.delenv("RANK")
    assert not is_silent()


@pytest.mark.parametrize("args", [["quantize"], ["run", "--config", "c.toml"]])
def test_work_that_cannot_be_shared_is_refused(second, cli, args, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.toml").write_text("")
    outcome = cli(*args)
    assert outcome.code == 2
    assert f"`cocorec {args[0]}` works in one process" in outcome.err


def test_work_whose_processes_do_not_talk_is_refused(second, cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = cli("embed")
    assert outcome.code == 2
    assert "`cocorec embed` starts its processes itself" in outcome.err and "--processes" in outcome.err


def test_torchrun_learns_why_a_process_failed(tmp_path, monkeypatch):
    file = tmp_path / "error.json"
    monkeypatch.setenv("TORCHELASTIC_ERROR_FILE", str(file))
    note_failure(Envelope())
    assert not file.exists()
    note_failure(Envelope(error={"kind": "data", "message": "a file is missing", "hint": None}))
    assert json.loads(file.read_text())["message"]["message"] == "a file is missing"
