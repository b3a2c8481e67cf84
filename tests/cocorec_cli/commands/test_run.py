import importlib
import json
from pathlib import Path

import pytest

from stages.artifacts.errors import DataError, QualityError
from stages.artifacts.lock import locked
from stages.artifacts.names import REPORT
from stages.artifacts.pipeline import STAGES
from stages.frame.options import Options
from stages.frame.result import Result

CONFIG = """
workdir = "w"
[preprocess]
inputs = "log.csv"
k_core = 3
[embed]
views = ["title", "brand"]
[train]
model = "cocorec"
[evaluate]
fail_under = "ndcg@10=0.5"
"""


_METRIC = {"ndcg@10": {"mean": 0.9, "low": 0.8, "high": 1.0}}
ORDER = [*STAGES, "report"]

EVALUATED = {
    "split": "test",
    "users": 3,
    "targets": 3,
    "items": 9,
    "exclude_seen": False,
    "repeated_targets": 0,
    "metrics": _METRIC,
    "popularity": _METRIC,
    "protocols": {name: {"metrics": _METRIC, "popularity": _METRIC} for name in ("all_items", "exclude_seen")},
    "popularity_cut": "before the split",
    "counts_cut": "training",
    "popularity_groups": [],
    "beyond_accuracy": {},
}
"""What an evaluation reports."""


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, object]]]:
    """The stages are replaced by recorders; this is what they were called with."""
    calls: list[tuple[str, dict[str, object]]] = []

    def recorder(name: str):
        def stage(options: Options, **settings: object) -> Result:
            calls.append((name, {**vars(options), **settings}))
            outputs = {REPORT: Path("w") / REPORT} if name == "report" else {}
            return Result(name, outputs, EVALUATED if name == "evaluate" else {"rows": 3})

        return stage

    for name in ORDER:
        monkeypatch.setattr(importlib.import_module(f"stages.{name}"), name, recorder(name), raising=False)
    return calls


@pytest.fixture(autouse=True)
def config(tmp_path: Path) -> Path:
    path = tmp_path / "cocorec.toml"
    path.write_text(CONFIG)
    return path


def _fail(monkeypatch: pytest.MonkeyPatch, name: str, error: Exception) -> None:
    def stage(options: Options, **settings: object) -> Result:
        raise error

    monkeypatch.setattr(importlib.import_module(f"stages.{name}"), name, stage, raising=False)


def test_all_stages_run_in_order_with_the_options_of_the_file(cli, calls, tmp_path):
    outcome = cli("run")
    assert outcome.code == 0
    assert [name for name, _ in calls] == ORDER
    by_name = dict(calls)
    assert by_name["preprocess"]["inputs"] == (tmp_path / "log.csv",)
    assert by_name["preprocess"]["k_core"] == 3
    assert by_name["embed"]["views"] == ("title", "brand")
    assert by_name["quantize"]["levels"] == 4
    assert {options["workdir"] for options in by_name.values()} == {tmp_path / "w"}
    assert {options["force"] for name, options in calls if name != "report"} == {False}
    lines = outcome.out.splitlines()
    assert [line.split()[0] for line in lines[: len(STAGES)]] == list(STAGES)
    assert all(len(line) <= 80 for line in lines)
    assert "  ndcg@10 0.9000, popularity 0.9000 (test split)" in lines
    assert lines[-2:] == ["  w/report.html", "more: --verbose, or `cocorec status`"]


def test_verbose_prints_what_each_stage_prints_alone(cli, calls):
    outcome = cli("run", "--verbose")
    assert outcome.code == 0
    assert outcome.out.count("made nothing in") == len(STAGES)
    assert "targets by popularity, counted in training" not in cli("run").out
    assert "means over users; popularity counted before the split" in outcome.out


def test_details_of_a_stage_are_left_out_and_what_takes_long_is_told(cli, calls, monkeypatch):
    def train(options: Options, *, reporter, **settings: object) -> Result:
        reporter.info("epoch 1: loss 2.0")
        reporter.announce("an epoch takes 60 s")
        reporter.warn("few users")
        return Result("train", {}, {})

    monkeypatch.setattr(importlib.import_module("stages.train"), "train", train)
    for args, details in (([], False), (["--verbose"], True)):
        said = cli("run", *args).err
        assert ("epoch 1: loss 2.0" in said) is details
        assert "an epoch takes 60 s" in said and "warning: few users" in said
    assert "an epoch" not in cli("run", "--quiet").err


def test_json_is_one_object_with_all_results(cli, calls):
    value = json.loads(cli("run", "--json").out)["result"]
    assert [stage["stage"] for stage in value["stages"]] == ORDER
    assert value["seconds"] >= 0


def test_force_workdir_and_environment_reach_the_stages(cli, calls, monkeypatch):
    monkeypatch.setenv("COCOREC_QUANTIZE_LEVELS", "8")
    assert cli("run", "--force", "--workdir", "elsewhere").code == 0
    assert {options["workdir"] for _, options in calls} == {Path("elsewhere")}
    assert {options["force"] for name, options in calls if name != "report"} == {True}
    assert dict(calls)["quantize"]["levels"] == 8


def test_a_model_that_reads_no_codes_needs_no_quantize(cli, calls, config):
    config.write_text(CONFIG.replace('model = "cocorec"', ""))
    outcome = cli("run")
    assert outcome.code == 0
    assert [name for name, _ in calls] == [name for name in ORDER if name != "quantize"]
    assert "quantize: left out, since the model `text` reads no codes" in outcome.err
    calls.clear()
    assert cli("run", "--until", "quantize").code == 0
    assert [name for name, _ in calls] == ["preprocess", "embed", "quantize"]


def test_some_stages(cli, calls):
    assert cli("run", "--from", "embed", "--until", "quantize").code == 0
    assert [name for name, _ in calls] == ["embed", "quantize"]
    outcome = cli("run", "--from", "train", "--until", "embed")
    assert (outcome.code, "--from train comes after --until embed" in outcome.err) == (2, True)


def test_the_first_failure_ends_the_run(cli, calls, monkeypatch):
    _fail(monkeypatch, "quantize", DataError("embeddings.parquet is damaged"))
    outcome = cli("run", "--json")
    assert outcome.code == 3
    assert [name for name, _ in calls] == ["preprocess", "embed"]
    assert "embeddings.parquet is damaged" in outcome.err
    # What was done is told all the same.
    assert [stage["stage"] for stage in json.loads(outcome.out)["result"]["stages"]] == ["preprocess", "embed"]


def test_a_missed_quality_bar_comes_after_the_results(cli, calls, config):
    config.write_text(CONFIG.replace("0.5", "0.95"))
    outcome = cli("run", "--json")
    assert outcome.code == QualityError.exit_code
    assert [stage["stage"] for stage in json.loads(outcome.out)["result"]["stages"]] == list(STAGES)[:5]
    assert "ndcg@10 is 0.9000, below 0.95" in outcome.err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[embed]\nviews = ['title']\n", "Missing argument 'LOG...'"),
        ("[embed]\nviews = ['title']\n", "In a configuration file it is the key inputs of [preprocess]."),
        (CONFIG.replace("views", "veiws"), "did you mean views?"),
        (CONFIG.replace("[train]", "[train]\nepochs = 0"), "greater than or equal to 1"),
        (CONFIG.replace("[train]", "[train]\ndropout = 1.0"), "--dropout must be at least 0 and below 1, is 1"),
        (CONFIG.replace("[train]", "[train]\ndim = 15"), "--heads 2 does not divide --dim 15"),
    ],
)
def test_options_are_checked_before_the_first_stage_runs(cli, calls, config, text, expected):
    config.write_text(text)
    outcome = cli("run")
    assert (outcome.code, expected in outcome.err) == (2, True)
    assert not calls


def test_without_a_configuration_file(cli, calls, config):
    config.unlink()
    outcome = cli("run")
    assert (outcome.code, "there is no cocorec.toml" in outcome.err) == (2, True)


def test_the_lock_is_held_throughout(cli, calls, monkeypatch, tmp_path):
    def stage(options: Options, **settings: object) -> Result:
        with locked(tmp_path / "w", "second"):
            raise AssertionError("not locked")

    monkeypatch.setattr(importlib.import_module("stages.train"), "train", stage)
    outcome = cli("run")
    assert (outcome.code, "in use by `cocorec run`" in outcome.err) == (3, True)
