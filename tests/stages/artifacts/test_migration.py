"""A work directory of version 1 of the contract is read as it is."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from stages.artifacts.lineage import CONTRACT_VERSION, read_lineage
from stages.artifacts.migration import RENAMED, current_options
from stages.artifacts.names import (
    BACKTEST,
    CODES,
    EMBEDDINGS,
    HISTORIES,
    ITEMS,
    METRICS,
    MODEL_CONFIG,
    RANKS,
    RECOMMENDATIONS,
    SEQUENCES,
)
from stages.artifacts.pipeline import STAGES
from stages.artifacts.status import workdir_status
from stages.artifacts.tables import read_table
from stages.evaluate import EvaluateOptions, evaluate
from stages.frame.options import Options, declarations
from stages.preprocess import PreprocessOptions, preprocess
from stages.quantize import QuantizeOptions, quantize
from stages.train import TrainOptions, train

DATA = Path(__file__).resolve().parents[2] / "data" / "v1"

PREPROCESS = PreprocessOptions([DATA / "log.csv"], items=[DATA / "texts.jsonl"], k_core=2)
QUANTIZE = QuantizeOptions(text_dim=8, levels=2, codebook_size=4)
SIZES = {"dim": 8, "heads": 2, "ffn_dim": 8, "fusion_ffn_dim": 8, "text_dim": 4, "layers": 1}
FORMER_DEFAULTS = {
    "model": "cocorec",
    "cooccurrence_bias": False,
    "calibrate": False,
    "fusion_layers": 1,
    "mcm_weight": 0.1,
    "msa_weight": 0.1,
    "new_item_rate": 0.0,
    "patience": 10,
    "unseen_negatives": True,
    "with_ids": False,
}
TRAIN = TrainOptions(**(FORMER_DEFAULTS | SIZES), epochs=2, batch_size=32, device="cpu", threads=1)
EVALUATE = EvaluateOptions(resamples=20, device="cpu", threads=1)

RUNS = {
    "preprocess": (preprocess, PREPROCESS),
    "quantize": (quantize, QUANTIZE),
    "train": (train, TRAIN),
    "evaluate": (evaluate, EVALUATE),
}


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DATA / "workdir", tmp_path / "workdir"))


LATER = {BACKTEST, HISTORIES}
"""What version 1 had not, or under another name."""


def test_the_files_are_of_version_1(workdir):
    for path in (path for stage in STAGES.values() for path in stage.outputs if path not in LATER):
        lineage = read_lineage(workdir / path)
        assert lineage is not None
        assert (lineage.contract, lineage.version) == (1, "0.1.0")
        assert all(found.startswith("sha256:") for found in lineage.inputs.values())
    assert CONTRACT_VERSION == 2


@pytest.mark.parametrize("verify", [False, True])
def test_all_but_measures_and_lists_is_fresh(workdir, verify):
    statuses = workdir_status(workdir, raw_folders=[DATA], verify=verify)
    assert [found.file for found in statuses] == [name for stage in STAGES.values() for name in stage.outputs]
    [lists] = [found for found in statuses if found.file == RECOMMENDATIONS]
    assert (lists.state, lists.reason) == ("stale", "made by `cocorec evaluate` of version 1")
    for name in (METRICS, RANKS):
        [measured] = [found for found in statuses if found.file == name]
        assert measured.state == "stale" and "made by version 1, which measured one protocol" in measured.reason
    there = [found for found in statuses if found.file not in {*LATER, RECOMMENDATIONS, METRICS, RANKS}]
    assert {(found.state, found.version) for found in there} == {("fresh", "0.1.0")}
    assert {found.state for found in statuses if found.file in LATER} == {"missing"}


def test_options_are_compared_under_their_present_names(workdir):
    def states(**options: object) -> dict[str, str]:
        found = workdir_status(workdir, options={name: vars(value) for name, value in options.items()})
        return {one.file: one.reason for one in found if one.state == "stale" and one.file != RECOMMENDATIONS}

    assert set(states(quantize=QUANTIZE, train=TRAIN, evaluate=EVALUATE)) == {METRICS, RANKS}
    found = states(quantize=QuantizeOptions(text_dim=16, levels=2, codebook_size=4))
    assert found[CODES] == "option text_dim was 8, is 16"
    assert states(evaluate=EvaluateOptions(resamples=30))[METRICS] == "option resamples was 20, is 30"


def test_a_changed_input_is_noticed(workdir, tmp_path):
    shutil.copy(DATA / "log.csv", tmp_path / "log.csv")
    with (tmp_path / "log.csv").open("a") as file:
        file.write("u99,i01,1600000000\n")
    content = bytearray((workdir / EMBEDDINGS).read_bytes())
    content[40] ^= 1
    (workdir / EMBEDDINGS).write_bytes(content)
    reasons = {found.file: found.reason for found in workdir_status(workdir, raw_folders=[tmp_path])}
    assert reasons[ITEMS] == reasons[SEQUENCES] == "log.csv has changed since"
    assert reasons[CODES] == "embeddings.parquet is damaged"


@pytest.mark.parametrize("stage", [name for name in RUNS if not LATER & set(STAGES[name].outputs)])
def test_what_is_there_is_not_made_again(workdir, stage):
    run, options = RUNS[stage]
    before = {name: (workdir / name).read_bytes() for name in STAGES[stage].outputs}
    assert run(options, workdir=workdir).skipped
    assert {name: (workdir / name).read_bytes() for name in before} == before


def test_evaluation_of_an_earlier_model_gives_the_same_metrics(workdir):
    before = json.loads((workdir / METRICS).read_text())
    assert not evaluate(EVALUATE, workdir=workdir).skipped
    after = json.loads((workdir / METRICS).read_text())
    for name, found in before["metrics"].items():  # written on another processor, whose last bits differ
        assert after["metrics"][name] == pytest.approx(found, rel=1e-12), name
    lineage = read_lineage(workdir / RANKS)
    assert lineage is not None and lineage.contract == 2
    assert all(found.startswith("content-sha256:") for found in lineage.inputs.values())
    assert evaluate(EVALUATE, workdir=workdir).skipped


def test_training_goes_on_from_earlier_files(workdir):
    result = train(TRAIN, workdir=workdir, force=True)
    assert result.facts["epochs"] == 2
    lineage = read_lineage(workdir / MODEL_CONFIG)
    assert lineage is not None and set(lineage.inputs) == {SEQUENCES, EMBEDDINGS, CODES}
    assert train(TRAIN, workdir=workdir).skipped
    assert not evaluate(EVALUATE, workdir=workdir).skipped
    states = {found.file: found.state for found in workdir_status(workdir)}
    assert {state for file, state in states.items() if file not in {HISTORIES, RECOMMENDATIONS}} == {"fresh"}


def test_histories_are_added_and_all_else_stays(workdir):
    before = {
        path: path.read_bytes() for path in workdir.rglob("*.*") if path.is_file() and ".cocorec" not in path.parts
    }
    assert not preprocess(PREPROCESS, workdir=workdir).skipped
    assert {path: path.read_bytes() for path in before} == before
    assert preprocess(PREPROCESS, workdir=workdir).skipped
    histories, sequences = (read_table(workdir / name) for name in (HISTORIES, SEQUENCES))
    assert set(sequences["user_id"].to_pylist()) <= set(histories["user_id"].to_pylist())
    states = {found.file: found.state for found in workdir_status(workdir, raw_folders=[DATA])}
    assert {state for file, state in states.items() if file not in {BACKTEST, RECOMMENDATIONS, METRICS, RANKS}} == {
        "fresh"
    }
    assert train(TRAIN, workdir=workdir).skipped


def test_models_are_trained_anew_by_default_and_say_why(workdir):
    states = workdir_status(workdir, options={"train": {"unseen_negatives": True}})
    assert {found.file: found.state for found in states}[MODEL_CONFIG] == "fresh"
    assert not train(replace(TRAIN, unseen_negatives=False), workdir=workdir).skipped


def test_options_have_their_present_names():
    found = current_options("preprocess", {"log_format": "table", "metadata_files": ["m"], "views": None, "seed": None})
    assert found == {"format": "table", "items": ["m"], "views": None, "seed": None}
    assert current_options("quantize", {"dimension": 8, "levels": 2}) == {"text_dim": 8, "levels": 2}
    assert current_options("evaluate", {"bootstrap": 20}) == {"resamples": 20}
    assert current_options("train", {"dim": 8}) == {"dim": 8, "backbone": "transformer", "experts": 8}


@pytest.mark.parametrize("options", [PreprocessOptions, QuantizeOptions, EvaluateOptions])
def test_present_names_are_those_of_options(options: type[Options]):
    stage = options.__module__.split(".")[1]
    assert set(RENAMED[stage].values()) <= {declared.name for declared in declarations(options)}
