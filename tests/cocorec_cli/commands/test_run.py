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
[evaluate]
fail_under = "ndcg@10=0.5"
"""


_METRIC = {"ndcg@10": {"mean": 0.9, "low": 0.8, "high": 1.0}}
ORDER = [*STAGES, "report"]

EVALUATED = {
    "split": "test",
    "users": 3,
    "targets": 3,
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
    assert outcome.out.count("made nothing in") == len(STAGES)
    assert outcome.out.splitlines()[-1] == "open w/report.html"


def test_json_is_one_object_with_all_results(cli, calls):
    value = json.loads(cli("run", "--json").out)
    assert [stage["stage"] for stage in value["stages"]] == ORDER
    assert value["seconds"] >= 0


def test_force_workdir_and_environment_reach_the_stages(cli, calls, monkeypatch):
    monkeypatch.setenv("COCOREC_QUANTIZE_LEVELS", "8")
    assert cli("run", "--force", "--workdir", "elsewhere").code == 0
    assert {options["workdir"] for _, options in calls} == {Path("elsewhere")}
    assert {options["force"] for name, options in calls if name != "report"} == {True}
    assert dict(calls)["quantize"]["levels"] == 8


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
    assert [stage["stage"] for stage in json.loads(outcome.out)["stages"]] == ["preprocess", "embed"]


def test_a_missed_quality_bar_comes_after_the_results(cli, calls, config):
    config.write_text(CONFIG.replace("0.5", "0.95"))
    outcome = cli("run", "--json")
    assert outcome.code == QualityError.exit_code
    assert [stage["stage"] for stage in json.loads(outcome.out)["stages"]] == ORDER[:5]
    assert "ndcg@10 is 0.9000, below 0.95" in outcome.err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[embed]\nviews = ['title']\n", "Missing argument 'LOG...'"),
        (CONFIG.replace("views", "veiws"), "did you mean views?"),
        (CONFIG + "[train]\nepochs = 0\n", "greater than or equal to 1"),
        (CONFIG + "[train]\ndropout = 1.0\n", "--dropout must be at least 0 and below 1, is 1"),
        (CONFIG + "[train]\ndim = 15\n", "--heads 2 does not divide --dim 15"),
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
