from pathlib import Path

import pytest

from benchmarks.quality.plan import PREPARATION, arguments, chosen, read_plan
from benchmarks.quality.run import PLAN
from stages.artifacts.errors import UsageError
from stages.embed import EmbedOptions
from stages.preprocess.options import PreprocessOptions
from stages.train.options import TrainOptions

GOOD = """
[data.shop]
folder = "shop"
preprocess = {inputs = ["a.csv"], items = ["b.jsonl", "c.jsonl"]}

[data.cold]
like = "shop"
preprocess = {cold_items = 0.1}

[rows.light]
preset = "light"

[rows.same]
train = {model = "text", dim = 64, fusion_ffn_dim = 256, dropout = 0.3}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "plan.toml"
    path.write_text(text)
    return path


def test_the_plan_that_is_shipped_fits_the_options_of_today():
    plan = read_plan(PLAN)
    cold, sampled = {"scientific-cold", "beauty-2014-cold"}, {"beauty-6000", "games-6000"}
    assert set(plan.data) == {"scientific", "scientific-brand", "beauty-2014", "games-2018", "ml-100k", *cold, *sampled}
    assert plan.baseline == "default"
    assert plan.rows["default"].options(2) == TrainOptions(seed=2)
    assert all(data.folder and set(data.stages) == set(PREPARATION) for data in plan.data.values())
    assert plan.data["beauty-2014-cold"].stages["preprocess"]["cold_items"] == 0.1
    assert plan.data["games-6000"].stages["preprocess"]["sample_users"] == 6000
    assert plan.data["beauty-2014-cold"].stages["embed"] == plan.data["beauty-2014"].stages["embed"]
    assert plan.rows["bsarec-published"].options(0).backbone == "bsarec"
    published = [name for name in plan.rows if name.endswith("-published")]
    assert not any(plan.rows[name].options(0).calibrate for name in ("no-biases", "no-calibration", *published))


def test_rows_and_data_sets_inherit_and_twins_are_found(tmp_path):
    plan = read_plan(written(tmp_path, GOOD))
    assert plan.baseline == "light"
    assert plan.rows["light"].same_as is None
    assert plan.rows["same"].same_as == "light"
    assert plan.rows["light"].options(3).dim == 64
    assert plan.rows["light"].command(3) == ["train", "--preset", "light", "--seed", "3"]
    assert plan.data["cold"].folder == "shop"
    assert plan.data["cold"].stages["preprocess"] == {
        "inputs": ["a.csv"],
        "items": ["b.jsonl", "c.jsonl"],
        "cold_items": 0.1,
    }


def test_arguments_are_those_of_the_command_line():
    values = {"items": ["b.jsonl", "c.jsonl"], "inputs": ["a.csv"], "views": ["title", "brand"], "k_core": 0}
    assert arguments(PreprocessOptions, values, Path("shop")) == [
        *["shop/a.csv", "--items", "shop/b.jsonl", "--items", "shop/c.jsonl"],
        *["--views", "title,brand", "--k-core", "0"],
    ]
    assert arguments(TrainOptions, {"repeat_bias": False, "with_ids": True}) == ["--no-repeat-bias", "--with-ids"]
    assert arguments(EmbedOptions, {}) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[rows.light]", "[lines.light]", r"plan.toml: 'lines' is unknown\nKnown are seeds, baseline, data, rows"),
        ("model =", "modle =", r"\[rows.same\] train 'modle' is unknown"),
        ("dim = 64", "dim = 7", r"\[rows.same\]: --heads 2 does not divide --dim 7"),
        ("dropout = 0.3", "seed = 7", r"\[rows.same\] train 'seed' is unknown"),
        ('"light"', '"lite"', r"\[rows.light\]: preset 'lite' is unknown\nKnown are baseline, fusion, light, paper"),
        ('like = "shop"', 'like = "cold"', r"\[data.cold\] like = 'cold' is no data set above it"),
        ("cold_items = 0.1", "cold_items = 2.0", r"\[data.cold\] preprocess: --cold-items must be"),
        ("cold_items = 0.1", "cold = 0.1", r"\[data.cold\] preprocess 'cold' is unknown"),
        ('folder = "shop"', "", r"\[data.shop\] lacks preprocess or folder"),
        ("[data.shop]", 'baseline = "text"\n[data.shop]', "baseline to be the name of a row"),
        ("[data.shop]", "[data.shop", "cannot be read"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, old, new, said):
    assert old in GOOD
    with pytest.raises(UsageError, match=said):
        read_plan(written(tmp_path, GOOD.replace(old, new)))


def test_names_are_chosen_among_the_known():
    assert chosen("--data", ["a", "b", "c"], "c, a") == ["c", "a"]
    assert chosen("--data", ["a", "b"], "") == ["a", "b"]
    with pytest.raises(UsageError, match="--data 'd' is unknown\nChoose among a, b"):
        chosen("--data", ["a", "b"], "d")
