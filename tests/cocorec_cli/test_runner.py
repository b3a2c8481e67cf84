import errno
import json
import time
from pathlib import Path

import pytest

from cocorec_cli import runner
from cocorec_cli.console import ConsoleReporter
from stages.artifacts.errors import DataError, QualityError, UsageError
from stages.artifacts.lock import locked
from stages.artifacts.names import CODES
from stages.frame.result import Result
from stages.quantize.options import QuantizeOptions


def _raise(error: BaseException):
    def action(reporter: object) -> None:
        raise error

    return action


def test_json_is_one_object_and_nothing_else(cli, quantize_calls):
    def chatter(reporter):
        print("a library that prints")
        reporter.info("information")
        reporter.warn("few items")

    quantize_calls.action = chatter
    facts = {"codes": 8, "positions": [{"entropy": 1.5}], "nested": {"a": None}}
    quantize_calls.result = Result(
        "quantize",
        {CODES: Path("artifacts") / CODES},
        facts,
        warnings=("few items", "old codebooks"),
        timings={"fit": 1.0},
    )
    outcome = cli("quantize", "--json")
    assert outcome.code == 0
    value = json.loads(outcome.out)["result"]
    assert value["stage"] == "quantize"
    assert value["skipped"] is False
    assert value["outputs"] == {CODES: "artifacts/codes.parquet"}
    assert value["facts"] == facts
    assert value["warnings"] == ["few items", "old codebooks"]
    assert value["timings"] == {"fit": 1.0}
    assert value["seconds"] >= 0
    assert value["peak_memory_mib"] > 1
    assert "a library that prints" in outcome.err
    assert "information" in outcome.err
    # A warning that was told when it came up is not told again at the end.
    assert outcome.err.count("warning: few items") == 1
    assert outcome.err.count("warning: old codebooks") == 1


def test_tables_show_the_facts_and_are_not_cut(cli, quantize_calls):
    long = "x" * 300
    quantize_calls.result = Result(
        "quantize",
        {CODES: Path("artifacts") / CODES},
        {
            "items": 4385,
            "shares": {"title": 0.25},
            "note": long,
            "views": ["title", "brand"],
            "unique": True,
            "metrics": {"recall@10": {"mean": 0.1, "low_end": 0.09}, "mrr": {"mean": 0.05}},
            "positions": [{"position": 0, "entropy": 7.123456}, {"position": 1, "entropy": 6.0}],
        },
    )
    outcome = cli("quantize")
    assert outcome.code == 0
    lines = [line.split() for line in outcome.out.splitlines()]
    assert lines[0][:3] == ["quantize:", "made", "codes.parquet"]
    assert ["items", "4,385"] in lines
    assert ["shares:", "title", "0.25"] in lines
    assert ["note", long] in lines
    assert ["views", "title,", "brand"] in lines
    assert ["unique", "yes"] in lines
    assert ["mean", "low", "end"] in lines
    assert ["recall@10", "0.1", "0.09"] in lines
    assert ["mrr", "0.05", "-"] in lines
    assert ["position", "entropy"] in lines
    assert ["0", "7.123"] in lines
    assert "\x1b" not in outcome.out
    assert not any(ord(letter) > 0x2000 for letter in outcome.out)


def test_a_skipped_stage_says_so(cli, quantize_calls):
    quantize_calls.result = Result("quantize", {}, {"codes": 8}, skipped=True)
    assert "up to date" in cli("quantize").out
    assert json.loads(cli("quantize", "--json").out)["result"]["skipped"] is True


def test_quiet_keeps_warnings_and_results(cli, quantize_calls):
    def chatter(reporter):
        reporter.info("information")
        reporter.warn("few items")

    quantize_calls.action = chatter
    outcome = cli("quantize", "--quiet")
    assert "information" not in outcome.err
    assert "warning: few items" in outcome.err
    assert "codes.parquet" in outcome.out


def test_options_that_are_not_set_are_the_defaults_of_the_stage(cli, quantize_calls):
    cli("quantize", "--force")
    assert quantize_calls.calls == [{**vars(QuantizeOptions()), "workdir": Path("artifacts"), "force": True}]


@pytest.mark.parametrize(
    ("error", "code", "expected"),
    [
        (UsageError("--levels 5 does not divide 128", "Take 4."), 2, ["error: --levels 5", "hint: Take 4."]),
        (DataError("embeddings.parquet is damaged"), 3, ["error: embeddings.parquet is damaged"]),
        (QualityError("ndcg@10 is 0.04"), 4, ["error: ndcg@10 is 0.04"]),
        (MemoryError(), 1, ["out of memory", "hint:"]),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: 12 bytes"), 1, ["out of memory"]),
        (OSError(errno.ENOSPC, "No space left on device", "f"), 3, ["No space left on device", "hint:"]),
        (
            PermissionError(errno.EACCES, "Permission denied", "f"),
            3,
            ["error: f: Permission denied", "hint: Ask the owner"],
        ),
        (KeyboardInterrupt(), 130, ["interrupted by Ctrl-C"]),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_errors_of_users_have_no_traceback(cli, quantize_calls, error, code, expected):
    quantize_calls.action = _raise(error)
    outcome = cli("quantize")
    assert outcome.code == code
    assert outcome.out == ""
    assert all(part in outcome.err for part in expected)
    assert "Traceback" not in outcome.err


def test_other_errors_are_called_bugs(cli, quantize_calls):
    quantize_calls.action = _raise(ZeroDivisionError("division by zero"))
    outcome = cli("quantize")
    assert outcome.code == 1
    assert "ZeroDivisionError: division by zero" in outcome.err
    assert "this is a bug in cocorec: division by zero" in outcome.err


def test_a_failed_or_interrupted_run_gives_the_lock_up(cli, quantize_calls, tmp_path):
    for error in (DataError("x"), KeyboardInterrupt(), ZeroDivisionError()):
        quantize_calls.action = _raise(error)
        cli("quantize")
        with locked(tmp_path / "artifacts", "test"):
            pass


def test_two_runs_in_one_work_directory_exclude_each_other(cli, quantize_calls, tmp_path):
    with locked(tmp_path / "artifacts", "train"):
        outcome = cli("quantize")
    assert outcome.code == 3
    assert "in use by `cocorec train`" in outcome.err
    assert not quantize_calls.calls


def test_the_stage_runs_under_the_lock(cli, quantize_calls, tmp_path):
    def try_lock(reporter):
        with locked(tmp_path / "artifacts", "second"):
            pass

    quantize_calls.action = try_lock
    outcome = cli("quantize")
    assert (outcome.code, "in use by `cocorec quantize`" in outcome.err) == (3, True)


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["quantize", "--levls", "3"], "--levels"),
        (["quantize", "--levels", "four"], "'--levels'"),
        (["quantize", "--levels", "0"], "greater than or equal to 1"),
        (["quantize", "--method", "pg"], "'--method'"),
        (["quantize", "extra"], "unexpected extra argument"),
        (["quantise"], "Did you mean 'quantize'?"),
        (["quantize", "--levels"], "requires an argument"),
    ],
)
def test_wrong_usage(cli, quantize_calls, args, expected):
    outcome = cli(*args)
    assert outcome.code == 2
    assert outcome.err.startswith("error: ")
    assert expected in outcome.err
    assert "--help`" in outcome.err
    assert "Traceback" not in outcome.err
    assert not quantize_calls.calls


def test_main_restores_the_signal_handler(cli, quantize_calls):
    import signal

    before = signal.getsignal(signal.SIGTERM)
    cli("quantize")
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_next_command_is_named_last(cli, quantize_calls):
    assert cli("quantize").out.endswith("\nnext: cocorec train\n")
    assert cli("quantize", "--workdir", "w").out.endswith("\nnext: cocorec train --workdir w\n")
    assert "next:" not in cli("quantize", "--quiet").out
    assert json.loads(cli("quantize", "--json").out)["result"]["next"] == "cocorec train"


def test_silence_of_more_than_a_moment_is_explained(monkeypatch, capsys):
    monkeypatch.setattr(runner, "_MOMENT", 0.01)
    with runner._told_if_slow(ConsoleReporter(), "loading the libraries of train"):
        time.sleep(0.2)
    assert capsys.readouterr().err == "loading the libraries of train\n"
    monkeypatch.setattr(runner, "_MOMENT", 60.0)
    with runner._told_if_slow(ConsoleReporter(), "loading"):
        pass
    assert capsys.readouterr().err == ""
