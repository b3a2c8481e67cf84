"""Training that starts from the weights of another model."""

import shutil

import numpy as np
import pyarrow as pa
import pytest
import torch
from growth import grow, rename
from safetensors.torch import load_file

from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.lineage import RAW, Lineage, read_lineage
from stages.artifacts.names import CHECKPOINT_DIR, CODES, EMBEDDINGS, HISTORY, ITEMS, MODEL_CONFIG, MODEL_WEIGHTS
from stages.artifacts.tables import read_table, write_table
from stages.artifacts.vectors import codes_schema
from stages.model.files import load_model
from stages.train import TrainOptions, train

MODEL = (MODEL_CONFIG, MODEL_WEIGHTS, HISTORY)
STILL = {"learning_rate": 1e-12, "epochs": 1, "ema": 0.0, "weight_decay": 0.0}
"""Options that leave the weights where they start."""


@pytest.fixture
def options(small):
    def make(**more):
        return TrainOptions(**{**small, "model": "text", "epochs": 2, "with_ids": True, "patience": 50, **more})

    return make


@pytest.fixture
def yesterday(structured, options, tmp_path):
    """A trained model in a work directory of its own."""
    folder = shutil.copytree(structured, tmp_path / "yesterday")
    train(options(), workdir=folder)
    return folder


def weights(workdir):
    return load_file(workdir / MODEL_WEIGHTS)


def outputs(workdir):
    return {name: (workdir / name).read_bytes() for name in MODEL}


@pytest.mark.parametrize(("name", "with_ids"), [("text", True), ("cocorec", True), ("codes", False), ("sasrec", False)])
def test_it_starts_from_the_weights(structured, options, tmp_path, name, with_ids):
    folder = shutil.copytree(structured, tmp_path / "first")
    train(options(model=name, with_ids=with_ids), workdir=folder)
    train(options(model=name, with_ids=with_ids, seed=5, init_from=folder, **STILL), workdir=structured)
    before, after = weights(folder), weights(structured)
    assert before.keys() == after.keys()
    if name == "sasrec":  # row 0 is no item
        before, after = ({**found, "encoder.table": found["encoder.table"][1:]} for found in (before, after))
    for key in before:
        torch.testing.assert_close(after[key], before[key], atol=1e-6, rtol=0, msg=key)
    lineage = read_lineage(structured / MODEL_CONFIG)
    assert RAW + "initial model.safetensors" in lineage.inputs
    found = lineage.facts.get("items_of_initial_model")
    assert found == ({"known": 60, "new": 0} if with_ids or name == "sasrec" else None)


def test_items_are_matched_by_id(structured, yesterday, options):
    """Another catalogue: half of the items in another order, and items that the model has never seen."""
    ids = read_table(structured / ITEMS)["item_id"].to_pylist()
    rename(structured, [*ids[30:][::-1], *(f"other-{n}" for n in range(30))])
    result = train(options(seed=5, init_from=yesterday, **STILL), workdir=structured)
    assert result.facts["items_of_initial_model"] == {"known": 30, "new": 30}
    before, after = weights(yesterday)["encoder.ids"], weights(structured)["encoder.ids"]
    torch.testing.assert_close(after[1:31], before[31:].flip(0), atol=1e-6, rtol=0)
    assert after[31:].abs().max() < 1e-6  # as a new model begins
    torch.testing.assert_close(
        weights(structured)["encoder.perceptron.inner.weight"], weights(yesterday)["encoder.perceptron.inner.weight"]
    )


def test_a_catalogue_that_grew(structured, yesterday, options):
    grow(structured)
    result = train(options(init_from=yesterday, **STILL), workdir=structured)
    assert result.facts["items_of_initial_model"] == {"known": 60, "new": 2}
    assert load_model(structured, torch.device("cpu")).catalogue.items == 62


def test_it_needs_fewer_epochs(structured, yesterday, options):
    long = train(options(epochs=8), workdir=yesterday, force=True)
    afresh = train(options(epochs=1), workdir=structured)
    warm = train(options(epochs=1, init_from=yesterday), workdir=structured)
    assert warm.facts["validation"]["ndcg@10"] > afresh.facts["validation"]["ndcg@10"]
    assert warm.facts["validation"]["ndcg@10"] > 0.8 * long.facts["validation"]["ndcg@10"]


def test_equal_runs_give_equal_bytes_and_an_interrupted_one_goes_on(structured, yesterday, options, tmp_path):
    other = shutil.copytree(structured, tmp_path / "other")
    train(options(epochs=4, init_from=yesterday), workdir=structured)
    train(options(epochs=2, init_from=yesterday), workdir=other)
    train(options(epochs=4, init_from=yesterday), workdir=other)
    assert outputs(structured) == outputs(other)
    assert train(options(epochs=4, init_from=yesterday), workdir=structured).skipped
    # Other weights to start from, or none, are another run.
    shutil.rmtree(other / CHECKPOINT_DIR)
    train(options(seed=3), workdir=yesterday, force=True)
    assert not train(options(epochs=4, init_from=yesterday), workdir=structured).skipped
    assert outputs(structured) != outputs(other)
    assert not train(options(epochs=4), workdir=structured).skipped


def test_in_place_a_repeated_command_has_nothing_to_do(yesterday, options):
    before = outputs(yesterday)
    again = options(epochs=3, init_from=yesterday)
    assert not train(again, workdir=yesterday).skipped
    after = outputs(yesterday)
    assert after != before
    assert train(again, workdir=yesterday).skipped
    # A kill between the files: what is there is partly of the model that it started from.
    for missing in ((MODEL_CONFIG,), (MODEL_CONFIG, MODEL_WEIGHTS)):
        for name in missing:
            (yesterday / name).write_bytes(before[name])
        assert not train(again, workdir=yesterday).skipped
        assert outputs(yesterday) == after
    # Without the checkpoint, and with other options, the model that is there is the start.
    train(options(epochs=2, seed=9, init_from=yesterday), workdir=yesterday)
    assert outputs(yesterday) != after


def test_what_does_not_fit(structured, yesterday, options, tmp_path):
    def refused(kind, match, **more):
        with pytest.raises(kind, match=match) as caught:
            train(options(**{"init_from": yesterday, **more}), workdir=structured)
        return caught.value.hint

    refused(DataError, "config.json does not exist", init_from=tmp_path / "none")
    hint = refused(UsageError, r"config\.json is of the model text, not cocorec", model="cocorec")
    assert "--model text" in hint
    refused(UsageError, "for models that learn weights, not for popularity", model="popularity", with_ids=False)
    hint = refused(DataError, "dim is 16 there and 32 here, layers is 1 there and 2 here", dim=32, layers=2)
    assert "options that it was trained with" in hint
    refused(DataError, "with_ids is True there and False here", with_ids=False)
    refused(DataError, "text_dim is 8 there and 4 here", text_dim=4)
    refused(DataError, "model.safetensors", init_from=_without(yesterday, MODEL_WEIGHTS, tmp_path / "a"))
    rename(yesterday, [f"item-{n}" for n in range(60)])
    refused(DataError, r"items\.parquet does not begin with the 60 items that the model beside it was trained on")
    assert not (structured / MODEL_CONFIG).exists()


def test_texts_and_codes_that_mean_something_else(structured, options, tmp_path):
    given = {"model": "cocorec", "with_ids": False}
    folder = shutil.copytree(structured, tmp_path / "first")
    train(options(**given), workdir=folder)
    codes, embeddings = read_table(structured / CODES), read_table(structured / EMBEDDINGS)
    write_table(structured / CODES, codes.cast(codes_schema(4, 8, "sha256:other")), Lineage("quantize", {}, {}))
    with pytest.raises(DataError, match=r"--init-from: the model of .* codes of other codebooks"):
        train(options(init_from=folder, **given), workdir=structured)
    write_table(structured / CODES, codes, read_lineage(folder / CODES))
    write_table(structured / EMBEDDINGS, embeddings, Lineage("embed", {"normalize": True}, {}))
    with pytest.raises(DataError, match="text vectors of another encoder"):
        train(options(init_from=folder, **given), workdir=structured)
    write_table(structured / EMBEDDINGS, embeddings.drop(["brand"]), Lineage("embed", {}, {}))
    with pytest.raises(DataError, match=r"views 'title', 'brand', .* has 'title'"):
        train(options(init_from=folder, **given), workdir=structured)


def test_the_whitening_is_that_of_the_weights(structured, yesterday, options):
    """Other items have another covariance; their texts are still mapped as the weights expect."""
    table = read_table(structured / EMBEDDINGS)
    order = np.random.default_rng(0).integers(0, 60, 60)
    shuffled = table.take(order).set_column(0, table.schema.field(0), [pa.array(np.arange(1, 61), pa.int32())])
    write_table(structured / EMBEDDINGS, shuffled, read_lineage(yesterday / EMBEDDINGS))
    train(options(init_from=yesterday), workdir=structured)
    for name, tensor in weights(yesterday).items():
        if name.startswith("whitening."):
            assert torch.equal(tensor, weights(structured)[name])


def _without(folder, name, copy):
    shutil.copytree(folder, copy)
    (copy / name).unlink()
    return copy
