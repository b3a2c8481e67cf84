"""A model on the catalogue that it was trained on, grown since or exchanged."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from growth import LIKE, grow, rename

from stages.artifacts.atomic import write_json
from stages.artifacts.digest import OPEN_DIGEST
from stages.artifacts.errors import DataError
from stages.artifacts.items import ids_fingerprint
from stages.artifacts.lineage import KEY, Lineage, read_lineage
from stages.artifacts.names import CODES, EMBEDDINGS, ITEMS, MODEL_CONFIG, SEQUENCES
from stages.artifacts.sequences import read_sequences
from stages.artifacts.tables import read_table, write_table
from stages.artifacts.vectors import codebooks_of, codes_schema
from stages.model.files import added_items, load_model, read_saved
from stages.model.ranking import queries, rank
from stages.model.registry import MODELS, model_class
from stages.model.trained_items import TrainedItems
from stages.train import TrainOptions, train

CPU = torch.device("cpu")


def trained(workdir, small, model, **options):
    train(TrainOptions(**{**small, "model": model, "epochs": 1, **options}), workdir=workdir)
    return workdir


def top(workdir, model, count):
    """The best items of some users and their scores."""
    sequences = read_sequences(workdir / SEQUENCES)
    wanted = queries(sequences, "test", model.config.max_history)
    return rank(model, torch.from_numpy(sequences.items.astype(np.int64)), wanted, top=count)


@pytest.mark.parametrize(
    ("name", "with_ids"),
    [
        *((name, False) for name in MODELS if name != "sasrec"),
        *((name, True) for name in MODELS if model_class(name).takes_ids),
    ],
)
def test_a_grown_catalogue_changes_nothing_for_the_items_before(structured, small, name, with_ids):
    known = model_class(name)
    trained(structured, small, name, with_ids=with_ids)
    before = top(structured, load_model(structured, CPU).model, 60)
    grow(structured)
    assert added_items(structured) == 2
    found = load_model(structured, CPU)
    assert (found.added, found.catalogue.items, found.model.config.items) == (2, 62, 62)
    assert "2 items came after" in found.note
    assert ("free vectors of zero" in found.note, "rank last" in found.note) == (with_ids, not known.takes_ids)
    after = top(structured, found.model, 62)
    for row in range(len(before.items)):
        old = after.items[row] <= 60
        assert after.items[row][old].tolist() == before.items[row].tolist()
        np.testing.assert_array_equal(after.scores[row][old], before.scores[row])
        if not known.takes_ids:
            assert set(after.items[row][-2:].tolist()) == {61, 62}


@pytest.mark.parametrize("name", ["text", "codes", "cocorec", "unisrec"])
def test_new_items_are_ranked_by_what_describes_them(structured, small, name):
    trained(structured, small, name, with_ids=False)
    grow(structured)
    history, candidate = load_model(structured, CPU).model.item_tables()
    for table in (history, candidate):
        torch.testing.assert_close(table[61:], table[1:][list(LIKE)])
        assert table[61:].norm(dim=1).min() > 0


def test_free_vectors_of_new_items_are_zero(structured, small):
    trained(structured, small, "text", with_ids=True)
    grow(structured)
    model = load_model(structured, CPU).model
    assert model.encoder.ids.shape == (63, small["dim"])
    assert not model.encoder.ids[61:].any()
    assert model.encoder.ids[1:61].any(1).all()


def test_sasrec_has_to_be_trained(structured, small):
    trained(structured, small, "sasrec")
    grow(structured)
    with pytest.raises(
        DataError, match="sasrec ranks only the 60 items that it was trained on; there are 62"
    ) as caught:
        load_model(structured, CPU)
    assert "--init-from" in caught.value.hint


def test_another_catalogue(structured, small):
    trained(structured, small, "text")
    ids = read_table(structured / ITEMS)["item_id"].to_pylist()
    rename(structured, ids[::-1])
    with pytest.raises(DataError, match=r"knows other items than the first 60 of .*items\.parquet") as caught:
        load_model(structured, CPU)
    assert "--extend" in caught.value.hint
    rename(structured, ids)
    assert load_model(structured, CPU).added == 0
    grow(structured)
    rename(structured, ["new-a", *ids, "new-b"])
    with pytest.raises(DataError, match="knows other items"):
        added_items(structured)


def test_a_catalogue_that_shrank(structured, small):
    trained(structured, small, "text")
    for name in (ITEMS, EMBEDDINGS):
        table = read_table(structured / name).slice(0, 59)
        write_table(structured / name, table, read_lineage(structured / name))
    with pytest.raises(DataError, match=r"the model knows 60 items .* has 59"):
        load_model(structured, CPU)


def test_texts_and_codes_that_mean_something_else(structured, small):
    trained(structured, small, "cocorec")
    grow(structured)
    codes, embeddings = read_table(structured / CODES), read_table(structured / EMBEDDINGS)
    schema = codes_schema(4, 8, codebooks="sha256:other")
    write_table(structured / CODES, codes.cast(schema), read_lineage(structured / CODES))
    assert codebooks_of(structured / CODES) == "sha256:other"
    with pytest.raises(DataError, match="was trained on codes of other codebooks") as caught:
        load_model(structured, CPU)
    assert "--codebooks" in caught.value.hint
    write_table(structured / CODES, codes, read_lineage(structured / CODES))
    other = Lineage("embed", {"model": "another"}, {"raw:another": "sha256:1"})
    write_table(structured / EMBEDDINGS, embeddings, other)
    with pytest.raises(DataError, match="text vectors of another encoder"):
        load_model(structured, CPU)
    swapped = embeddings.select(["item", "brand", "title"])
    write_table(structured / EMBEDDINGS, swapped, Lineage("embed", {}, {}))
    with pytest.raises(DataError, match=r"was trained on the views 'title', 'brand', .* has 'brand', 'title'"):
        load_model(structured, CPU)


def test_a_model_that_does_not_say_which_items_it_knows(structured, small):
    """As version 0.1 saved them, and as one trained where there is no ``items.parquet``."""
    trained(structured, small, "text")
    content = json.loads((structured / MODEL_CONFIG).read_text())
    assert content.pop("items")["ids"] == ids_fingerprint(structured / ITEMS, 60)
    content[KEY] |= OPEN_DIGEST
    write_json(structured / MODEL_CONFIG, content)
    assert read_saved(structured).items == TrainedItems()
    assert load_model(structured, CPU).added == 0
    grow(structured)
    with pytest.raises(DataError, match=r"trained on 60 items; there are 62, and .*config\.json does not tell"):
        load_model(structured, CPU)
    write_json(structured / MODEL_CONFIG, {**content, "items": {"ids": 5}})
    with pytest.raises(DataError, match="what it says of the items is damaged"):
        read_saved(structured)


def test_training_without_items_parquet(structured, small):
    table, lineage = read_table(structured / ITEMS), read_lineage(structured / ITEMS)
    (structured / ITEMS).unlink()
    trained(structured, small, "cocorec")
    assert read_saved(structured).items.ids is None
    assert load_model(structured, CPU).added == 0
    write_table(structured / ITEMS, table, lineage)
    assert load_model(structured, CPU).added == 0


def test_ids_are_told_apart_by_where_they_end(structured):
    found = set()
    for ids in (["ab", "c"], ["a", "bc"], ["c", "ab"]):
        rename(structured, ids * 30)
        found.add(ids_fingerprint(structured / ITEMS, 2))
    assert len(found) == 3


def test_what_differs_is_said_once():
    known = TrainedItems(ids="1", views=("title",), encoder="2", codebooks=None)
    known.require_same_inputs(replace(known, ids="other"), "the model")
    assert TrainedItems.from_dict(json.loads(json.dumps(known.to_dict())), ITEMS) == known
