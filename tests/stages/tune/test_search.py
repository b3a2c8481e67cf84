import json

import pytest

from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.lineage import Lineage
from stages.artifacts.names import CODES, EMBEDDINGS, ITEMS, SEQUENCES
from stages.artifacts.tables import read_table, write_table
from stages.frame.options import defaults
from stages.quantize import QuantizeOptions, quantize
from stages.tune import TuneOptions
from stages.tune.search import check_codes, describe, try_values
from stages.tune.space import SearchedStage, read_space


@pytest.mark.parametrize(
    ("table", "fixed"),
    [
        ({"dim": [4, 8], "heads": [2, 4]}, {}),
        ({"dim": [3, 9], "heads": [3]}, {}),
        ({"dim": [3, 4]}, {"heads": 1}),
    ],
)
def test_values_that_fit_beside_some_other_may_stay(training, table, fixed):
    try_values(read_space({"train": table}, training.stages), training.stages, {"train": fixed})
    assert not training.calls


@pytest.mark.parametrize(
    ("table", "fixed", "expected"),
    [
        ({"rate": {"low": 0.5, "high": 1.5}}, {}, "search space: train.rate 1.5: --rate must be at least 0"),
        ({"dim": [4, 5]}, {}, "search space: train.dim 5: --heads 2 does not divide --dim 5"),
        ({"dim": [4, 5], "heads": [2, 4]}, {}, "search space: train.dim 5: --heads 2 does not divide --dim 5"),
        ({"heads": [1, 2]}, {"dim": 3}, "search space: train.heads 2: --heads 2 does not divide --dim 3"),
    ],
)
def test_values_that_never_fit_are_named(training, table, fixed, expected):
    with pytest.raises(UsageError, match=expected):
        try_values(read_space({"train": table}, training.stages), training.stages, {"train": fixed})


def described(workdir, training, tables, options=None):
    """A search as its journal describes it, with all other options at their defaults."""
    stages = {"quantize": SearchedStage(QuantizeOptions, quantize), **training.stages}
    standing = {name: defaults(stage.options) for name, stage in stages.items()}
    found = describe(workdir, read_space(tables, stages), standing, stages, options or TuneOptions())
    return json.loads(json.dumps(found))


def test_a_description_holds_what_decides_the_outcome(structured, training):
    found = described(structured, training, {"train": {"dim": [4, 8]}}, TuneOptions(seed=5, seeds=2, trials=9))
    assert set(found["inputs"]) == {SEQUENCES, EMBEDDINGS, ITEMS, CODES}
    assert found["space"] == {"train.dim": {"values": [4, 8]}}
    assert found["options"] == {"train.model": "cocorec", "train.rate": 0.8, "train.heads": 2, "train.seed": 0}
    assert (found["sampler"], found["seeds"]) == ({"seed": 5}, 2)
    assert found == described(structured, training, {"train": {"dim": [4, 8]}}, TuneOptions(seed=5, seeds=2, trials=3))


def test_codes_are_no_input_where_they_vary(structured, training):
    found = described(structured, training, {"quantize": {"levels": [2, 3]}})
    assert set(found["inputs"]) == {SEQUENCES, EMBEDDINGS, ITEMS}
    assert "quantize.levels" not in found["options"]
    assert found["options"]["quantize.codebook_size"] == defaults(QuantizeOptions)["codebook_size"]


def test_missing_inputs_are_named(structured, training):
    (structured / EMBEDDINGS).unlink()
    with pytest.raises(DataError, match=r"embeddings\.parquet does not exist"):
        described(structured, training, {"train": {"dim": [4, 8]}})


def test_codes_of_another_configuration_are_refused(structured):
    table = read_table(structured / CODES)
    write_table(structured / CODES, table, Lineage("quantize", {"levels": 2}, {}, {"codebook_size": 8}))
    check_codes(structured, {"levels": 2})
    check_codes(structured, {})
    with pytest.raises(DataError, match=r"made with levels 2, the configuration says 4\nRun `cocorec quantize`"):
        check_codes(structured, {"levels": 4})
    (structured / CODES).unlink()
    check_codes(structured, {"levels": 4})
