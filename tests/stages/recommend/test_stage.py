import io
import json
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from growth import grow
from whole_histories import write_histories

import stages.preprocess
import stages.recommend.tables as module
from stages.artifacts import names
from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.lineage import read_lineage
from stages.artifacts.status import workdir_status
from stages.recommend import Recommender, RecommendOptions, recommend


def run(workdir, **options):
    return recommend(RecommendOptions(device="cpu", **options), workdir=workdir, readers=stages.preprocess)


def rows_of(path):
    return {row["user_id"]: row for row in pq.read_table(path).to_pylist()}


def test_every_user_gets_a_list_from_the_whole_history(trained):
    result = run(trained, top=5, with_views=("title", "brand"))
    table = pq.read_table(trained / names.RECOMMENDATIONS)
    assert table.column_names == ["user_id", "item_ids", "scores", "fallback", "title", "brand"]
    histories = pq.read_table(trained / names.HISTORIES)
    assert table["user_id"] == histories["user_id"]
    ids = [[f"item-{item - 1:03}" for item in items] for items in histories["items"].to_pylist()]
    expected = Recommender.load(trained, device="cpu").recommend(ids, 5)
    assert table["item_ids"].to_pylist() == [given.item_ids for given in expected]
    assert table["brand"].to_pylist()[7] == [f"brand {int(item[5:]) % 6}" for item in expected[7].item_ids]
    assert not any(table["fallback"].to_pylist())
    facts = result.facts
    assert (facts["users"], facts["recommendations"], facts["users_with_fewer_than_top"]) == (300, 1500, 0)
    assert facts["seen_items"] == "left in, ranked by what the model learnt of repeats"
    assert facts["threads"] == torch.get_num_threads()
    assert read_lineage(trained / names.RECOMMENDATIONS).facts == facts
    [status] = [found for found in workdir_status(trained) if found.file == names.RECOMMENDATIONS]
    assert (status.state, status.stage) == ("fresh", "recommend")


def test_what_is_up_to_date_is_not_made_again(trained):
    assert not run(trained).skipped
    assert run(trained).skipped
    assert not run(trained, top=3).skipped
    write_histories(trained, {"somebody": [1, 2]})
    assert not run(trained, top=3).skipped
    assert list(rows_of(trained / names.RECOMMENDATIONS)) == ["somebody"]


def test_chunks_give_the_same_bytes_and_are_gone_on_with(trained, monkeypatch, said):
    run(trained)
    whole = (trained / names.RECOMMENDATIONS).read_bytes()
    lists = rows_of(trained / names.RECOMMENDATIONS)
    monkeypatch.setattr(module, "CHUNK_USERS", 64)
    (trained / names.RECOMMENDATIONS).unlink()
    run(trained)
    chunked = (trained / names.RECOMMENDATIONS).read_bytes()
    assert {user: row["item_ids"] for user, row in rows_of(trained / names.RECOMMENDATIONS).items()} == {
        user: row["item_ids"] for user, row in lists.items()
    }
    (trained / names.RECOMMENDATIONS).unlink()

    made = 0
    original = Recommender.lists

    def stops(self, *args, **settings):
        nonlocal made
        if made == 3:
            raise KeyboardInterrupt
        made += 1
        return original(self, *args, **settings)

    monkeypatch.setattr(Recommender, "lists", stops)
    with pytest.raises(KeyboardInterrupt):
        run(trained)
    chunks = sorted((trained / ".cocorec").glob("recommend-*/*.parquet"))
    assert len(chunks) == 3
    assert not (trained / names.RECOMMENDATIONS).exists()
    chunks[1].write_bytes(chunks[1].read_bytes()[:-40])  # a damaged one is made again
    made = -10
    recommend(RecommendOptions(device="cpu"), workdir=trained, reporter=said)
    assert made == -7  # the damaged one and the two that were missing
    assert said.infos[-1] == "continuing an interrupted run: 128 of 300 users were done"
    assert (trained / names.RECOMMENDATIONS).read_bytes() == chunked
    assert not list((trained / ".cocorec").glob("recommend-*"))
    monkeypatch.setattr(Recommender, "lists", original)
    monkeypatch.setattr(module, "CHUNK_USERS", 16_384)
    (trained / names.RECOMMENDATIONS).unlink()
    run(trained)
    assert (trained / names.RECOMMENDATIONS).read_bytes() == whole
    (trained / ".cocorec" / "recommend-0123").mkdir()  # of a run that was killed once its file was there
    assert recommend(RecommendOptions(device="cpu"), workdir=trained, reporter=said).skipped
    assert not list((trained / ".cocorec").glob("recommend-*"))


@pytest.fixture
def files(tmp_path):
    """Writes text files by name and gives their paths."""

    def write(name, *lines):
        path = tmp_path / name
        path.write_text("".join(f"{line}\n" for line in lines))
        return path

    return write


def test_a_log_from_outside(trained, files):
    log = files("new.csv", "user_id,item_id,timestamp", "n,item-002,3", "n,item-000,1", "n,item-001,2", "m,gone,1")
    result = run(trained, histories=log, top=4)
    found = rows_of(trained / names.RECOMMENDATIONS)
    loaded = Recommender.load(trained, device="cpu")
    assert found["n"]["item_ids"] == loaded.recommend([["item-000", "item-001", "item-002"]], 4)[0].item_ids
    assert [found[user]["fallback"] for user in ("m", "n")] == [True, False]
    assert result.facts["users_without_known_item"] == result.facts["interactions_with_unknown_items"] == 1
    assert any("such as gone" in warning for warning in result.warnings)
    lineage = read_lineage(trained / names.RECOMMENDATIONS)
    assert lineage.options["histories"] == "new.csv"
    assert "raw:histories" in lineage.inputs
    log.write_text(log.read_text().replace("n,", "o,"))
    assert not run(trained, histories=log, top=4).skipped


def test_standard_input(trained, monkeypatch):
    text = io.TextIOWrapper(io.BytesIO(b'{"user_id": "n", "item_ids": ["item-000"]}\n'))
    monkeypatch.setattr("sys.stdin", text)
    result = run(trained, histories="-", top=2)
    assert result.facts["users"] == 1
    assert read_lineage(trained / names.RECOMMENDATIONS).options["histories"] == "standard input"
    assert not list((trained / ".cocorec").glob(".standard-input*"))


@pytest.mark.parametrize("as_file", [True, False])
def test_some_users(trained, files, as_file):
    users = ["user-007", "user-003", "nobody"]
    given = (str(files("vip.csv", "user_id,since", *(f"{user},2024" for user in users))),) if as_file else tuple(users)
    result = run(trained, users=given)
    assert list(rows_of(trained / names.RECOMMENDATIONS)) == ["user-003", "user-007"]
    assert result.warnings == ("--users: 1 of 3 have no history and get nothing, such as nobody",)
    assert result.facts["users_without_history"] == 1
    with pytest.raises(DataError, match="none of the 1 has a history, such as nobody"):
        run(trained, users=("nobody",))


def test_filters(trained, files):
    stock = files("stock.csv", "sku,item_id", *(f"{i},item-{i:03}" for i in range(0, 60, 2)), "99,new-item")
    deny = files("deny.txt", "item-000", "item-002")
    metadata = files(
        "meta.jsonl", *(json.dumps({"id": f"item-{i:03}", "price": i, "brand": "x" * (i % 3)}) for i in range(60))
    )
    result = run(
        trained,
        top=20,
        candidates=stock,
        exclude=deny,
        items=metadata,
        where="price < 20 AND brand <> 'x'",
        exclude_seen=True,
    )
    allowed = {f"item-{i:03}" for i in range(4, 20, 2) if i % 3 != 1}
    assert result.facts["candidates"] == len(allowed)
    histories = pq.read_table(trained / names.HISTORIES)["items"].to_pylist()
    for row, history in zip(rows_of(trained / names.RECOMMENDATIONS).values(), histories, strict=True):
        assert set(row["item_ids"]) == allowed - {f"item-{item - 1:03}" for item in history}
    assert result.facts["users_with_fewer_than_top"] == 300
    assert any("candidates: 1 of 31 ids" in warning for warning in result.warnings)


def test_where_reads_the_views_of_the_catalogue(trained):
    result = run(trained, where="title = 'title 3'")
    assert result.facts["candidates"] == 10
    lists = pq.read_table(trained / names.RECOMMENDATIONS)["item_ids"].to_pylist()
    assert all(int(item[5:]) % 6 == 3 for items in lists for item in items)


def test_other_formats_hold_the_same(trained, tmp_path):
    run(trained, top=3, with_views=("title",))
    table = pq.read_table(trained / names.RECOMMENDATIONS)
    before = (trained / names.RECOMMENDATIONS).read_bytes()
    stdout = io.StringIO()
    for ending in ("parquet", "jsonl", "csv"):
        result = run(trained, top=3, with_views=("title",), output=tmp_path / f"x.{ending}")
        assert list(result.outputs.values()) == [tmp_path / f"x.{ending}"]
    recommend(RecommendOptions(top=3, with_views=("title",), output="-", device="cpu"), workdir=trained, stdout=stdout)
    assert pq.read_table(tmp_path / "x.parquet") == table
    lines = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]
    assert [json.loads(line) for line in stdout.getvalue().splitlines()] == lines
    assert [{**row, "scores": None} for row in lines] == [{**row, "scores": None} for row in table.to_pylist()]
    assert np.array_equal(
        np.array([row["scores"] for row in lines], np.float32), np.array(table["scores"].to_pylist(), np.float32)
    )
    csv = pa.csv.read_csv(tmp_path / "x.csv")
    assert csv.column_names == ["user_id", "rank", "item_id", "score", "fallback", "title"]
    assert csv["item_id"].to_pylist() == [item for items in table["item_ids"].to_pylist() for item in items]
    assert csv["rank"].to_pylist() == [1, 2, 3] * 300
    assert (trained / names.RECOMMENDATIONS).read_bytes() == before


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"top": 61}, UsageError, "from 1 to 60"),
        ({"with_views": ("colour",)}, UsageError, "--with 'colour' is no text view"),
        ({"with_views": ("title", "title")}, UsageError, "name a column twice"),
        ({"where": "colour = 'red'"}, UsageError, "has no column 'colour'"),
        ({"where": "brand ="}, UsageError, "is no SQL expression"),
        ({"where": "1 < 2"}, UsageError, "names no column"),
        ({"where": "title"}, UsageError, "not true or false"),
        ({"where": "title < 5"}, UsageError, "does not fit the columns"),
        ({"where": "title = 'none'"}, DataError, "leave none of the 60 items"),
        ({"candidates": "missing.txt"}, DataError, "--candidates: missing.txt does not exist"),
        ({"histories": "missing.csv"}, DataError, "--histories: missing.csv does not exist"),
        ({"device": "tpu"}, UsageError, "--device"),
    ],
)
def test_what_does_not_fit_is_refused(trained, options, error, said):
    with pytest.raises(error, match=said):
        recommend(RecommendOptions(**{"device": "cpu", **options}), workdir=trained, readers=stages.preprocess)
    assert not (trained / names.RECOMMENDATIONS).exists()


def test_options_that_contradict_each_other():
    with pytest.raises(UsageError, match="--items needs --where"):
        RecommendOptions(items="meta.csv")
    with pytest.raises(UsageError, match=r"--output x\.txt: unknown ending"):
        RecommendOptions(output="x.txt")
    with pytest.raises(UsageError, match="--top must be at least 1"):
        RecommendOptions(top=0)


def test_tables_need_the_readers(trained, files):
    histories = files("h.csv", "user_id,item_id", "a,item-001")
    with pytest.raises(UsageError, match="--histories needs the readers of preprocess"):
        recommend(RecommendOptions(histories=histories, device="cpu"), workdir=trained)
    assert (
        recommend(RecommendOptions(candidates=files("c.txt", "item-001"), device="cpu"), workdir=trained).facts[
            "candidates"
        ]
        == 1
    )


def test_a_work_directory_without_histories_or_model(trained):
    (trained / names.HISTORIES).unlink()
    with pytest.raises(DataError, match=r"histories.parquet does not exist") as caught:
        run(trained)
    assert "cocorec preprocess" in caught.value.hint
    write_histories(trained, {})
    with pytest.raises(DataError, match="holds no user"):
        run(trained)
    (trained / names.MODEL_CONFIG).unlink()
    with pytest.raises(DataError, match=r"config.json does not exist"):
        run(trained)


def test_a_catalogue_that_grew_is_told(trained):
    grow(trained)
    result = run(trained, top=62)
    assert result.facts["items_added_since_training"] == 2
    assert any("2 items came after cocorec was trained" in warning for warning in result.warnings)
    assert {"new-a", "new-b"} <= set(rows_of(trained / names.RECOMMENDATIONS)["user-000"]["item_ids"])
    assert run(trained, top=62).skipped


def test_processes_need_readers_that_they_can_import(trained):
    with pytest.raises(UsageError, match="readers that are a module"):
        recommend(RecommendOptions(device="cpu", processes=2), workdir=trained, readers=SimpleNamespace())
    with pytest.raises(UsageError, match="--processes and --engine ray"):
        RecommendOptions(processes=2, engine="ray")


def test_new_items_are_boosted(trained):
    grow(trained)
    run(trained, top=62)
    before = rows_of(trained / names.RECOMMENDATIONS)
    run(trained, top=62, new_item_boost=2.0)
    for user, row in rows_of(trained / names.RECOMMENDATIONS).items():
        if row["fallback"]:
            continue
        assert set(row["item_ids"][:2]) == {"new-a", "new-b"}
        assert row["item_ids"][2:] == [item for item in before[user]["item_ids"] if not item.startswith("new-")]
