"""The command as the shell sees it: real processes, exit codes, pipes, signals."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cocorec_cli.main import COMMANDS
from stages import __version__
from stages.artifacts.lock import locked

COCOREC = Path(sys.executable).with_name("cocorec")
HEAVY = ("torch", "numpy", "polars", "pyarrow", "faiss", "sentence_transformers", "transformers", "safetensors")

# A stage that waits until it is killed, in place of the real one.
WAITING = """
import sys, time
import stages.quantize
from cocorec_cli.main import main
from stages.artifacts.atomic import atomic_path
from pathlib import Path

def quantize(options, *, workdir, **settings):
    with atomic_path(Path(workdir) / "codes.parquet") as path:
        path.write_text("half")
        print("ready", flush=True)
        time.sleep(60)

stages.quantize.quantize = quantize
sys.exit(main(["quantize"]))
"""


def _run(*args: str | Path, **settings) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*map(str, args)], capture_output=True, text=True, timeout=120, check=False, **settings)


def test_version_by_both_entry_points():
    for command in ([COCOREC], [sys.executable, "-m", "cocorec_cli"]):
        done = _run(*command, "--version")
        assert (done.returncode, done.stdout, done.stderr) == (0, f"cocorec {__version__}\n", "")


def test_help_imports_nothing_heavy():
    code = "import sys; from cocorec_cli.main import main; main(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    for command in ([], *([entry.name] for entry in COMMANDS)):
        args = [*command, "--help"]
        done = _run(sys.executable, "-c", code, *args)
        assert done.returncode == 0
        assert "Usage: cocorec" in done.stdout
        loaded = {name.partition(".")[0] for name in done.stderr.split()}
        assert "typer" in loaded
        assert not loaded & set(HEAVY)


def test_help_explains_every_option():
    from typer.main import get_command

    from cocorec_cli.main import app

    for command in get_command(app).commands.values():
        assert command.help
        for parameter in command.params:
            assert parameter.help, f"{command.name}: {parameter.name}"
            assert parameter.help.endswith("."), f"{command.name}: {parameter.name}"
            assert parameter.param_type_name == "argument" or parameter.rich_help_panel, parameter.name


def test_without_arguments_there_is_help():
    done = _run(COCOREC)
    assert done.returncode == 2
    assert "Usage: cocorec" in done.stdout
    assert "error" not in done.stderr


def test_completion_is_shown_and_installed(tmp_path):
    # The shell is named instead of detected: there may be none above a CI job.
    environment = {**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1", "HOME": str(tmp_path)}
    done = _run(COCOREC, "--show-completion", "bash", env=environment)
    assert done.returncode == 0
    assert "_COCOREC_COMPLETE" in done.stdout
    done = _run(COCOREC, "--install-completion", "bash", env=environment)
    assert done.returncode == 0
    assert "completion installed" in done.stdout
    assert any("_COCOREC_COMPLETE" in path.read_text() for path in tmp_path.rglob("*") if path.is_file())


def test_completion_of_commands_options_and_choices():
    def complete(line: str) -> list[str]:
        words = line.split(" ")
        environment = {**os.environ, "_COCOREC_COMPLETE": "complete_bash"}
        environment |= {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
        return _run(COCOREC, env=environment).stdout.split()

    assert complete("cocorec qu") == ["quantize"]
    assert "--levels" in complete("cocorec quantize --le")
    assert complete("cocorec quantize --method ") == ["pq", "rq"]


@pytest.mark.parametrize("args", [["status"], ["--help"]])
def test_a_broken_pipe_is_quiet(args, tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [COCOREC, *args], stdout=writer, stderr=subprocess.PIPE, text=True, timeout=120, check=False, cwd=tmp_path
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize(("number", "code", "name"), [(signal.SIGINT, 130, "Ctrl-C"), (signal.SIGTERM, 143, "SIGTERM")])
def test_signals_leave_nothing_behind(number, code, name, tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", WAITING], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "ready\n"
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert out == ""
    assert err.splitlines() == [f"interrupted by {name}; finished work is kept, the same command goes on from there"]
    assert sorted(path.name for path in (tmp_path / "artifacts").iterdir()) == [".cocorec"]
    with locked(tmp_path / "artifacts", "test"):
        pass


def test_a_second_process_is_told_who_holds_the_lock(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", WAITING], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        assert process.stderr is not None
        process.stderr.readline()
        second = _run(COCOREC, "quantize", cwd=tmp_path)
        process.kill()
    assert second.returncode == 3
    assert f"in use by `cocorec quantize` (process {process.pid})" in second.stderr
    # The lock of a killed process is free at once.
    deadline = time.monotonic() + 10
    while "in use" in _run(COCOREC, "quantize", cwd=tmp_path).stderr:
        assert time.monotonic() < deadline


def test_status_in_a_pipe(tmp_path):
    done = _run(COCOREC, "status", "--json", cwd=tmp_path, env={**os.environ, "FORCE_COLOR": "1"})
    assert done.returncode == 0
    states = {artifact["file"]: artifact["state"] for artifact in json.loads(done.stdout)["result"]["artifacts"]}
    assert states["items.parquet"] == "missing"
    assert len(states) == 13
