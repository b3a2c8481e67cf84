import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from whole_histories import write_histories

from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.histories import HISTORIES_SCHEMA
from stages.artifacts.names import HISTORIES, ITEMS, MODEL_WEIGHTS, SEQUENCES
from stages.frame.reporter import Reporter
from stages.serve import snapshot as module
from stages.serve.options import ServeOptions
from stages.serve.ranking import answer
from stages.serve.snapshot import ChangedMeanwhileError, file_states, load_snapshot
from stages.serve.work import Asked, AskedSimilar


def load(workdir, **options):
    return load_snapshot(workdir, ServeOptions(device="cpu", **options), Reporter())


def test_all_is_read(snapshot):
    assert (len(snapshot.items), len(snapshot.users)) == (60, 300)
    assert snapshot.counts is not None
    assert snapshot.histories is not None
    assert snapshot.history(299).tolist() == snapshot.histories.items[snapshot.histories.offsets[299] :].tolist()
    taken = snapshot.counts[snapshot.popular - 1]
    assert (taken[:-1] >= taken[1:]).all()
    assert len(snapshot.version) == 16


def test_nothing_is_read_later(trained):
    found = load(trained, with_views=("title",), similar_by="text")
    for path in trained.rglob("*"):
        if path.is_file():
            path.unlink()
    works = [Asked(found, found.history(0), 3, False), Asked(found, found.history(0)[:0], 3, False)]
    lines = answer([*works, AskedSimilar(found, "item-000", 1, 3, "text")])
    assert all('"title": [' in line for line in lines)


def test_histories_are_not_needed(trained):
    (trained / HISTORIES).unlink()
    found = load(trained)
    assert (found.histories, len(found.users)) == (None, 0)
    assert found.counts is not None  # of what was learnt from
    (trained / SEQUENCES).unlink()
    assert load(trained).counts is None


def test_a_user_that_occurs_again(trained):
    write_histories(trained, {"a": [1], "b": [2]})
    table = pq.read_table(trained / HISTORIES)
    pq.write_table(pa.concat_tables([table, table]).cast(HISTORIES_SCHEMA), trained / HISTORIES)
    with pytest.raises(DataError, match=r"user '[ab]' occurs again"):
        load(trained)


@pytest.mark.parametrize(("options", "told"), [({"with_views": ("brant",)}, "brant"), ({"top": 61}, "--top 61")])
def test_options_that_do_not_fit(trained_once, options, told):
    with pytest.raises(UsageError, match=told):
        load(trained_once, **options)


def test_a_file_that_is_replaced_meanwhile(trained, monkeypatch):
    plain = module._read

    def slow(*args):
        found = plain(*args)
        (trained / ITEMS).write_bytes((trained / ITEMS).read_bytes())
        return found

    monkeypatch.setattr(module, "_read", slow)
    with pytest.raises(ChangedMeanwhileError, match=r"items.parquet changed while it was read"):
        load(trained)


def test_states_are_of_each_file(trained):
    before = file_states(trained)
    (trained / MODEL_WEIGHTS).unlink()
    after = file_states(trained)
    assert [old == new for old, new in zip(before, after, strict=True)].count(False) == 1
    assert None in after


def test_models_without_vectors_have_no_similar_items(structured, train_small):
    write_histories(structured)
    train_small(structured, model="popularity")
    found = load(structured)
    assert found.no_similar is not None
    assert "no vectors" in found.no_similar
