import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from stages.artifacts.lineage import read_lineage
from stages.artifacts.names import CODES, METRICS, MODEL_CONFIG, RANKS, STUDY, TRIALS

REPOSITORY = Path(__file__).resolve().parents[3]

CONFIG = """\
# the shop
workdir = "artifacts"

[preprocess]
inputs = ["log.csv"]  # from the till

[quantize]
codebook_size = 8
text_dim = 8

[train]
fusion-ffn-dim = 32  # wide enough
threads = 1
"""


@pytest.fixture
def config(structured, small, tmp_path) -> Path:
    """A configuration file beside the work directory, with a small model."""
    options = {name: value for name, value in small.items() if name not in ("fusion_ffn_dim", "dropout")}
    lines = [f"{name} = {json.dumps(value)}" for name, value in options.items()]
    path = tmp_path / "cocorec.toml"
    path.write_text(CONFIG + "\n".join([*lines, "epochs = 2", ""]))
    return path


def _rows(workdir: Path) -> list[dict[str, object]]:
    return pq.read_table(workdir / TRIALS).to_pylist()


def test_the_best_is_a_configuration_to_use(cli, config, structured, tmp_path):
    (tmp_path / "found").mkdir()
    best = tmp_path / "found" / "best.toml"
    search = ["--search", "dropout=0.0:0.4", "--search", "quantize.levels=1,2"]
    outcome = cli("tune", "--config", config, *search, "--trials", "3", "--output", best, "--json")
    assert outcome.code == 0
    value = json.loads(outcome.out)["result"]
    assert value["stage"] == "tune"
    assert value["facts"]["trials"]["complete"] == 3
    options = value["facts"]["best_options"]
    text = best.read_text()
    assert text.startswith("# Found by `cocorec tune`: trial ")
    for kept in ("# the shop", "# from the till", "fusion-ffn-dim = 32  # wide enough"):
        assert kept in text
    content = tomllib.loads(text)
    assert content["train"]["dropout"] == options["train.dropout"]
    assert content["quantize"] == {"codebook_size": 8, "text_dim": 8, "levels": options["quantize.levels"]}
    assert "fusion_ffn_dim" not in content["train"]
    # Relative paths start at the folder of the file that holds them.
    assert (content["workdir"], content["preprocess"]["inputs"]) == ("../artifacts", ["../log.csv"])
    assert config.read_text().startswith(CONFIG)
    assert not (structured / MODEL_CONFIG).exists()

    # The configuration gives what the search has promised.
    assert cli("quantize", "--config", best).code == 0
    assert read_lineage(structured / CODES).options["levels"] == options["quantize.levels"]
    outcome = cli("train", "--config", best, "--json")
    trained = json.loads(outcome.out)["result"]["facts"]
    assert trained["validation"]["ndcg@10"] == value["facts"]["best"]["validation_ndcg@10"]
    assert read_lineage(structured / MODEL_CONFIG).options["fusion_ffn_dim"] == 32


def test_nothing_is_evaluated_and_tables_are_printed(cli, config, structured, monkeypatch):
    import stages.evaluate

    def never(*args: object, **settings: object) -> None:
        raise AssertionError("the search has evaluated")

    monkeypatch.setattr(stages.evaluate, "evaluate", never)
    monkeypatch.setenv("COCOREC_TRAIN_MODEL", "sasrec")
    outcome = cli("tune", "--config", config, "--trials", "2", "--quiet")
    assert outcome.code == 0
    assert outcome.err == ""
    lines = [line.split() for line in outcome.out.splitlines()]
    assert lines[0][:4] == ["tune:", "made", "tune/trials.parquet,", "best.toml"]
    assert ["trials:", "complete", "2"] in lines
    assert sum(line[:1] == ["complete"] for line in lines) == 2
    # The default space of that kind of model, and what the environment has said.
    assert {name for name in _rows(structured)[0] if "." in name} == {"train.learning_rate", "train.dropout"}
    assert tomllib.loads(Path("best.toml").read_text())["train"]["model"] == "sasrec"
    assert not {METRICS, Path(RANKS).name} & {path.name for path in structured.rglob("*")}


def test_trials_are_logged_and_the_configuration_says_nothing_of_it(cli, config, structured, monkeypatch, tmp_path):
    monkeypatch.setenv("COCOREC_TRAIN_MODEL", "sasrec")
    given = ["--log", "tensorboard", "--log-to", "board", "--search", "dropout=0.1,0.2"]
    assert cli("tune", "--config", config, "--trials", "1", "-q", *given).code == 0
    assert [path.name for path in (tmp_path / "board").iterdir()] == ["trial-00000"]
    assert not {"log", "log_to", "log_name"} & tomllib.loads(Path("best.toml").read_text())["train"].keys()


def test_the_space_of_the_file_and_of_the_command_line(cli, config, structured, monkeypatch):
    monkeypatch.setenv("COCOREC_TRAIN_MODEL", "sasrec")
    config.write_text(config.read_text() + "[tune]\ntrials = 1\n[tune.space.train]\nweight_decay = [0.0, 0.1]\n")
    assert cli("tune", "--config", config, "-q").code == 0
    assert [name for name in _rows(structured)[0] if "." in name] == ["train.weight_decay"]
    outcome = cli("tune", "--config", config, "-q", "--no-resume", "--search", "dropout=0.1,0.2", "--force")
    assert outcome.code == 0
    assert [name for name in _rows(structured)[0] if "." in name] == ["train.dropout"]


def test_a_preset_counts(cli, config, structured, monkeypatch):
    config.write_text(config.read_text().replace("[train]", '[train]\npreset = "paper"'))
    monkeypatch.setenv("COCOREC_TRAIN_MODEL", "sasrec")
    assert cli("tune", "--config", config, "-q", "--trials", "1", "--search", "dropout=0.2,0.4").code == 0
    options = read_lineage(structured / TRIALS).options["options"]
    assert (options["train.targets"], options["train.dim"]) == ("last", 16)


def test_without_a_configuration_file(cli, structured, small):
    texts = [f"train.{name.replace('_', '-')}={value}" for name, value in small.items() if name != "device"]
    search = [part for text in [*texts, "epochs=1", "model=sasrec"] for part in ("--search", text)]
    assert cli("tune", *search, "--trials", "1", "--device", "cpu", "--threads", "1", "-q").code == 0
    content = tomllib.loads(Path("best.toml").read_text())
    assert content["workdir"] == "artifacts"
    assert content["train"] == {**{name: value for name, value in small.items() if name != "device"}} | {
        "epochs": 1,
        "model": "sasrec",
    }
    assert cli("train", "--config", "best.toml", "-q").code == 0


def test_a_killed_search_goes_on_as_if_nothing_had_happened(cli, config, structured, tmp_path, monkeypatch):
    undisturbed = tmp_path / "undisturbed"
    shutil.copytree(structured, undisturbed)
    monkeypatch.setenv("COCOREC_TRAIN_MODEL", "sasrec")
    monkeypatch.setenv("COCOREC_TRAIN_EPOCHS", "4")
    args = ["tune", "--config", config, "--search", "dropout=0.0:0.4", "--trials", "3", "-q"]
    paths = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, "-m", "cocorec_cli", *map(str, args)],
        env={**os.environ, "PYTHONPATH": paths},
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 300
    study = structured / STUDY
    # In the middle of the second trial: six epochs are reported.
    while not (study.exists() and study.read_text().count('"intermediate_value"') >= 6):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < until
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not Path("best.toml").exists()
    assert len(_rows(structured)) == 1
    assert cli(*args, "--resume").code == 0
    assert cli(*args, "--workdir", undisturbed, "-o", "undisturbed.toml").code == 0
    assert _rows(structured) == _rows(undisturbed)
    assert len(_rows(structured)) == 3
    found, expected = (tomllib.loads(Path(name).read_text()) for name in ("best.toml", "undisturbed.toml"))
    assert {**found, "workdir": ""} == {**expected, "workdir": ""}


def test_the_same_command_after_its_end_changes_nothing(cli, config, structured, monkeypatch):
    monkeypatch.setenv("COCOREC_TRAIN_MODEL", "sasrec")
    args = ["tune", "--config", config, "--search", "dropout=0.0:0.4", "-q", "--trials"]
    assert cli(*args, "2").code == 0
    best = Path("best.toml")
    before = {path: path.read_bytes() for path in [best, *structured.rglob("*")] if path.is_file()}
    assert cli(*args, "2").code == 0  # as after a kill just before the end
    assert {path: path.read_bytes() for path in [best, *structured.rglob("*")] if path.is_file()} == before

    def refused(*more: str) -> None:
        content = best.read_bytes()
        outcome = cli(*args, *more)
        assert (outcome.code, "--output best.toml is there already" in outcome.err) == (2, True), outcome.err
        assert ("goes on with the trials that it has" in outcome.err) == (more == ("3",))
        assert best.read_bytes() == content
        assert len(_rows(structured)) == 2

    refused("3")
    refused("2", "--no-resume")
    best.write_text(best.read_text() + "# mine\n")
    refused("2")
    assert cli(*args, "2", "--force").code == 0
    assert "# mine" not in best.read_text()


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["--search", "dropuot=0.1:0.5"], "did you mean dropout?"),
        (["--search", "dropout=0.1:1.5"], "train.dropout 1.5: --dropout must be at least 0 and below 1, is 1.5"),
        (["--search", "seed=1,2"], "seed: of several stages"),
        (["--search", "train.seed=1,2"], "train.seed cannot be searched"),
        (["--search", "train.dim=15,16"], "train.dim 15: --heads 2 does not divide --dim 15"),
        (["--trials", "0"], "'--trials'"),
        (["--device", "tpu"], "--device 'tpu' is unknown"),
        (["--output", "nowhere/best.toml"], "is not a folder to write a file in"),
        (["--output", "cocorec.toml"], "--output cocorec.toml is there already"),
    ],
)
def test_wrong_usage(cli, config, structured, args, expected):
    outcome = cli("tune", "--config", config, *args)
    assert (outcome.code, expected in outcome.err) == (2, True), outcome.err
    assert "Traceback" not in outcome.err
    assert not (structured / STUDY).exists()


def test_codes_of_another_configuration_are_refused(cli, config):
    config.write_text(config.read_text().replace("[quantize]", "[quantize]\nlevels = 3"))
    assert cli("quantize", "--levels", "2", "--config", config, "-q").code == 0
    outcome = cli("tune", "--config", config)
    assert (outcome.code, "made with levels 2, the configuration says 3" in outcome.err) == (3, True)


@pytest.mark.parametrize("package", ["optuna", "tomlkit"])
def test_a_missing_package_names_the_extra(cli, config, structured, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    outcome = cli("tune", "--config", config)
    assert outcome.code == 2
    assert f"needs the package {package}" in outcome.err
    assert "pip install '.[tune]' in a checkout, else pip install 'cocorec[tune]'" in outcome.err
    assert not (structured / STUDY).exists()


def test_help_names_the_tables_of_the_file(cli):
    text = " ".join(cli("tune", "--help").out.split())
    assert "the tables train and quantize of the configuration file" in text
    assert "tables tune.space.train and tune.space.quantize" in text
