from pathlib import Path
from typing import Any

import pytest


def _write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "here" / "c.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _option(calls: Any, name: str) -> Any:
    return calls.calls[-1].get(name)


def test_command_line_wins_over_environment_over_file_over_default(cli, quantize_calls, tmp_path, monkeypatch):
    path = _write(tmp_path, "[quantize]\nlevels = 8\n")
    assert cli("quantize").code == 0
    assert _option(quantize_calls, "levels") == 4
    assert cli("quantize", "--config", path).code == 0
    assert _option(quantize_calls, "levels") == 8
    monkeypatch.setenv("COCOREC_QUANTIZE_LEVELS", "16")
    assert cli("quantize", "--config", path).code == 0
    assert _option(quantize_calls, "levels") == 16
    assert cli("quantize", "--levels", "32", "--config", path).code == 0
    assert _option(quantize_calls, "levels") == 32


def test_the_same_holds_for_the_work_directory(cli, quantize_calls, tmp_path, monkeypatch):
    path = _write(tmp_path, 'workdir = "w"\n')
    cli("quantize")
    assert _option(quantize_calls, "workdir") == Path("artifacts")
    cli("quantize", "--config", path)
    assert _option(quantize_calls, "workdir") == path.parent / "w"
    monkeypatch.setenv("COCOREC_WORKDIR", "from-environment")
    cli("quantize", "--config", path)
    assert _option(quantize_calls, "workdir") == Path("from-environment")
    cli("quantize", "-w", "typed", "--config", path)
    assert _option(quantize_calls, "workdir") == Path("typed")


def test_the_file_can_be_named_by_the_environment(cli, quantize_calls, tmp_path, monkeypatch):
    monkeypatch.setenv("COCOREC_CONFIG", str(_write(tmp_path, "[quantize]\nlevels = 8\n")))
    assert cli("quantize").code == 0
    assert _option(quantize_calls, "levels") == 8


def test_paths_are_relative_to_the_file(cli, quantize_calls, tmp_path):
    path = _write(tmp_path, '[quantize]\ncodebooks = "old/quantizer.safetensors"\n')
    assert cli("quantize", "--config", path).code == 0
    assert _option(quantize_calls, "codebooks") == path.parent / "old" / "quantizer.safetensors"


def test_hyphens_are_as_good_as_underscores(cli, quantize_calls, tmp_path):
    assert cli("quantize", "--config", _write(tmp_path, "[quantize]\ncodebook-size = 16\n")).code == 0
    assert _option(quantize_calls, "codebook_size") == 16


def test_all_problems_are_told_at_once(cli, quantize_calls, tmp_path):
    text = """
workdir = 3
[quantize]
levels = "4"
codebook_size = 1
text_dim = true
method = "pg"
codebooks = 3
levls = 3
json = true
workdir = "x"
[quantise]
"""
    outcome = cli("quantize", "--config", _write(tmp_path, text))
    assert outcome.code == 2
    assert not quantize_calls.calls
    for expected in (
        "10 problems",
        "workdir: expected text, got 3",
        "[quantize] levels: expected a whole number, got the text '4'",
        "[quantize] codebook_size: Input should be greater than or equal to 2",
        "[quantize] text_dim: expected a whole number, got true",
        "[quantize] method: the text 'pg' is not one of pq, rq",
        "[quantize] codebooks: expected a path, got 3",
        "[quantize] levls: unknown option; did you mean levels?",
        "[quantize] json: belongs on the command line",
        "[quantize] workdir: stands above the tables",
        "[quantise]: unknown; did you mean quantize?",
    ):
        assert expected in outcome.err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[quantize\n", "not TOML"),
        ("quantize = 3\n", "expected a table [quantize], got 3"),
        ("[train-everything]\n", "unknown"),
        ("wrkdir = 'x'\n", "did you mean workdir?"),
        ("[run]\nforce = true\n", "[run]: unknown"),
    ],
)
def test_wrong_files_are_refused(cli, tmp_path, text, expected):
    outcome = cli("quantize", "--config", _write(tmp_path, text))
    assert outcome.code == 2
    assert expected in outcome.err
    assert "Traceback" not in outcome.err


def test_a_missing_file_is_refused(cli):
    outcome = cli("quantize", "--config", "nowhere.toml")
    assert (outcome.code, "nowhere.toml does not exist" in outcome.err) == (2, True)


def test_a_file_that_is_not_text_is_refused(cli, tmp_path):
    (tmp_path / "c.toml").write_bytes(b"\xff\xfe\x00")
    outcome = cli("quantize", "--config", "c.toml")
    assert (outcome.code, "cannot read" in outcome.err) == (2, True)


def test_a_misspelt_variable_is_noticed(cli, quantize_calls, monkeypatch):
    monkeypatch.setenv("COCOREC_QUANTIZE_LEVLES", "6")
    monkeypatch.setenv("COCOREC_QUANTIZE_SEED", "6")
    outcome = cli("quantize")
    assert outcome.code == 0
    assert outcome.err == "warning: COCOREC_QUANTIZE_LEVLES in the environment is no option of `cocorec quantize`\n"


def test_numbers_in_a_list(cli, tmp_path):
    from typer.main import get_command

    from cocorec_cli.config import read_config
    from cocorec_cli.main import app

    path = _write(tmp_path, "[evaluate]\ncutoffs = [1, 5]\nfail_under = 'ndcg@10=0.05'\n")
    assert read_config(path, get_command(app))[0] == {"evaluate": {"cutoffs": [1, 5], "fail_under": ["ndcg@10=0.05"]}}
    outcome = cli("evaluate", "--config", _write(tmp_path, "[evaluate]\ncutoffs = ['5']\n"))
    assert (outcome.code, "cutoffs: expected a whole number, got the text '5'" in outcome.err) == (2, True)
