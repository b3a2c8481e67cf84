"""Fixtures of the command line's tests."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import stages.quantize
import stages.train
from cocorec_cli.main import main
from stages.artifacts.names import CODES
from stages.frame.options import Options
from stages.frame.reporter import Reporter
from stages.frame.result import Result


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


Cli = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import os

    for name in os.environ:
        if name.startswith("COCOREC_") and name != "COCOREC_TEST_DATA":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run ``cocorec`` in this process."""

    def run(*args: str | Path) -> Outcome:
        code = main([str(arg) for arg in args])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run


@dataclass
class Recorder:
    """Stands in for a stage: remembers its options and arguments, and does what it is told."""

    calls: list[dict[str, Any]] = field(default_factory=list)
    action: Callable[[Reporter], None] = lambda reporter: None
    result: Result = field(default_factory=lambda: Result("quantize", {CODES: Path("artifacts") / CODES}, {"codes": 8}))

    def __call__(self, options: Options, *, reporter: Reporter, **settings: Any) -> Result:
        self.calls.append({**vars(options), **settings})
        self.action(reporter)
        return self.result


@pytest.fixture
def quantize_calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    """``cocorec quantize`` calls this instead of the stage."""
    recorder = Recorder()
    monkeypatch.setattr(stages.quantize, "quantize", recorder, raising=False)
    yield recorder


@pytest.fixture
def train_calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    """``cocorec train`` calls this instead of the stage."""
    recorder = Recorder(result=Result("train", {}, {}))
    monkeypatch.setattr(stages.train, "train", recorder, raising=False)
    yield recorder
