"""Models that earlier versions trained load, and say what they said."""

import json
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from models import config_of
from safetensors.torch import load_file

from stages.artifacts.atomic import write_json
from stages.artifacts.errors import DataError
from stages.artifacts.lineage import KEY, Lineage
from stages.artifacts.names import MODEL_CONFIG, MODEL_DIR, MODEL_WEIGHTS, SEQUENCES
from stages.artifacts.sequences import read_sequences
from stages.model.files import load_model, save_model, save_tensors
from stages.model.ranking import queries, rank
from stages.model.recommender import Recommender

EARLIER = Path(__file__).parents[2] / "data" / "models-0.1"
"""Trained by version 0.1 on the fixture ``structured``, with the ranks and some scores that it gave."""


@pytest.mark.parametrize("name", ["cocorec", "text", "codes", "sasrec", "transitions", "popularity"])
def test_models_of_version_0_1(structured, name, monkeypatch):
    # Version 0.1 added nothing for items before the part of a history that is read.
    monkeypatch.setattr(Recommender, "older_bias", None)
    shutil.copytree(EARLIER / name, structured / MODEL_DIR)
    expected = load_file(EARLIER / name / "expected.safetensors")
    trained = load_model(structured, torch.device("cpu"))
    assert trained.model.config.model == name
    assert trained.lineage.options["model"] == name
    sequences = read_sequences(structured / SEQUENCES)
    wanted = queries(sequences, "test", trained.model.config.max_history)
    ranking = rank(trained.model, torch.from_numpy(sequences.items.astype(np.int64)), wanted, top=5)
    np.testing.assert_allclose(ranking.scores[:50], expected["scores"], atol=1e-5)
    # Scores that nearly tie may change places on another processor.
    assert (ranking.ranks == expected["ranks"].numpy()).mean() > 0.99


def test_weights_that_are_not_those_of_the_configuration(structured):
    shutil.copytree(EARLIER / "sasrec", structured / MODEL_DIR)
    for model in ("cooccurrence", "transitions", "popularity", "sasrec"):
        config = config_of(model, 60, dim=32)
        save_model(structured, config, {"weights": torch.zeros(3)}, Lineage("train", {}, {}))
        with pytest.raises(DataError, match=r"model.safetensors does not fit .*config.json"):
            load_model(structured, torch.device("cpu"))


def test_a_model_of_another_catalogue(structured):
    tensors = load_file(EARLIER / "transitions" / "model.safetensors")
    save_model(structured, config_of("transitions", 61), tensors, Lineage("train", {}, {}))
    with pytest.raises(DataError, match=r"the model knows 61 items .* has 60"):
        load_model(structured, torch.device("cpu"))


FIELDS = sorted(config_of("sasrec", 1).to_dict())
SENSIBLE = {
    field: value
    for field, value in {**dict.fromkeys(FIELDS, 100_000), "max_history": 60_000_000, "dim": 1 << 30}.items()
    if field in ("layers", "fusion_layers", "max_history", "dim", "ffn_dim", "fusion_ffn_dim", "items", "text_dim")
}
"""Sizes that a model might have, and for which there is no memory."""

_VALUES = (
    st.sampled_from([0, -1, 1, 2, 3, 64, 100_000, 60_000_000, 2**31 - 1, 2**31, 2**63, 10**30])
    | st.sampled_from(
        [None, True, False, "", "cocorec", "a\x1b[31m", [], {}, [1], 0.5, 1e308, float("nan"), float("inf")]
    )
    | st.integers()
    | st.text(max_size=5)
)


def put(workdir: Path, model: dict[str, object], tensors: dict[str, torch.Tensor]) -> None:
    """Put a model there as somebody else may have made it: whole, with digests that are right."""
    lineage = Lineage("train", {}, {})
    save_tensors(workdir / MODEL_WEIGHTS, tensors, {KEY: lineage.metadata_text()})
    write_json(workdir / MODEL_CONFIG, {"model": model, KEY: lineage.metadata()})


@pytest.fixture(params=["cocorec", "text", "codes", "sasrec", "transitions", "popularity"])
def earlier(request, structured):
    """A work directory, and configuration and weights of a model that fits it."""
    written = json.loads((EARLIER / request.param / "config.json").read_text())["model"]
    return structured, written, load_file(EARLIER / request.param / "model.safetensors")


@pytest.mark.parametrize("field", SENSIBLE)
def test_sizes_without_weights_are_refused_before_they_are_allocated(earlier, field):
    workdir, written, tensors = earlier
    written = {**written, {"text_dim": "text_dimension"}.get(field, field): SENSIBLE[field]}
    put(workdir, written, tensors)
    began = time.process_time()
    unused = {"sasrec": {"fusion_ffn_dim", "text_dim"}}.get(written["kind"], set())
    if written["kind"] in ("transitions", "popularity"):
        unused = set(SENSIBLE) - {"items"}
    if field in unused:  # nothing of this size is made
        load_model(workdir, torch.device("cpu"))
    else:
        with pytest.raises(DataError, match=r"does not fit|the model knows"):
            load_model(workdir, torch.device("cpu"))
    assert time.process_time() - began < 3


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.dictionaries(st.sampled_from([*FIELDS, "kind", "text_dimension", "else"]), _VALUES, min_size=1))
@example(changes={"layers": 100_000})
def test_any_configuration_is_loaded_or_refused(earlier, changes):
    workdir, written, tensors = earlier
    put(workdir, {**written, **changes}, tensors)
    try:
        load_model(workdir, torch.device("cpu"))
    except DataError as error:
        assert "config.json" in error.message
        assert error.hint


def test_counts_that_name_items_that_are_not_there(structured):
    tensors = load_file(EARLIER / "transitions" / "model.safetensors")
    for name, place, value in (("followers", 0, 61), ("followers", 3, 0), ("starts", 4, 10_000), ("starts", 0, 1)):
        damaged = {**tensors, name: tensors[name].clone()}
        damaged[name][place] = value
        put(structured, config_of("transitions", 60, dim=32).to_dict(), damaged)
        with pytest.raises(DataError, match="does not fit"):
            load_model(structured, torch.device("cpu"))
