"""Where a process finds that others share its work."""

import pytest

from stages.artifacts.errors import UsageError
from stages.frame.processes.place import Place, own_place, to_launch, writes

TORCHRUN = {"RANK": "1", "LOCAL_RANK": "0", "WORLD_SIZE": "4", "MASTER_ADDR": "127.0.0.1"}


def test_torchrun_says_it():
    assert own_place(TORCHRUN) == Place(1, 4, 0)
    assert not own_place(TORCHRUN).first
    assert own_place({**TORCHRUN, "RANK": "0"}).first


@pytest.mark.parametrize(
    "environment",
    [{}, {"RANK": "1", "WORLD_SIZE": "4"}, {**TORCHRUN, "WORLD_SIZE": "1"}, {**TORCHRUN, "WORLD_SIZE": "many"}],
)
def test_other_processes_work_alone(environment):
    assert own_place(environment) is None


def test_the_first_writes_and_one_that_is_alone(monkeypatch):
    assert writes()
    for name, value in TORCHRUN.items():
        monkeypatch.setenv(name, value)
    assert not writes()
    monkeypatch.setenv("RANK", "0")
    assert writes()


@pytest.mark.parametrize(("asked", "launched"), [(None, None), (1, None), (2, 2)])
def test_what_is_asked_for_is_started(monkeypatch, asked, launched):
    for name in TORCHRUN:
        monkeypatch.delenv(name, raising=False)
    assert to_launch(asked) == launched


def test_under_torchrun_nothing_is_started(monkeypatch):
    for name, value in TORCHRUN.items():
        monkeypatch.setenv(name, value)
    assert to_launch(None) is None
    assert to_launch(4) is None
    with pytest.raises(UsageError, match="--processes 2, but this is one of 4"):
        to_launch(2)
