"""Texts that were embedded before keep their vectors."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from stages.artifacts import names
from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.items import items_schema
from stages.artifacts.lineage import Lineage, read_lineage
from stages.artifacts.tables import read_table, write_table
from stages.artifacts.vectors import read_view
from stages.embed import EmbedOptions, embed
from stages.embed.encoder import Encoder
from stages.embed.reuse import Earlier, ReusedVectors

Sentences = Callable[..., list[str]]
MakeItems = Callable[..., Path]


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every text that reaches the encoder, but for the one that tells it its dimension."""
    seen: list[str] = []
    encode = Encoder.encode

    def counted(self: Encoder, texts: list[str]) -> object:
        seen.extend(text for text in texts if text != "a")
        return encode(self, texts)

    monkeypatch.setattr(Encoder, "encode", counted)
    return seen


@pytest.fixture
def options(tiny_model: Path) -> Callable[..., EmbedOptions]:
    return lambda **more: EmbedOptions(**{"model": str(tiny_model), "batch_tokens": 128, **more})


def rewrite(workdir: Path, views: dict[str, list[str | None]]) -> None:
    """Give a work directory another catalogue."""
    count = len(next(iter(views.values())))
    columns = {"item": pa.array(range(1, count + 1), pa.int32()), "item_id": [f"i{n:05d}" for n in range(count)]}
    table = pa.table({**columns, **views}, schema=items_schema(list(views)))
    write_table(workdir / names.ITEMS, table, Lineage("preprocess", {}, {}))


def vectors(workdir: Path, view: str = "title") -> np.ndarray:
    return read_view(workdir / names.EMBEDDINGS, view)[0]


def test_one_item_more_costs_one_text(sentences, make_items, options, encoded) -> None:
    texts = sentences(200)
    workdir = make_items({"title": texts})
    first = embed(options(), workdir=workdir)
    before = vectors(workdir)
    encoded.clear()
    rewrite(workdir, {"title": [*texts, "a red saw of oak"]})
    result = embed(options(), workdir=workdir)
    assert encoded == ["a red saw of oak"]
    np.testing.assert_array_equal(vectors(workdir)[:200], before)
    alone = make_items({"title": ["a red saw of oak"]}, "alone")
    embed(options(), workdir=alone)
    np.testing.assert_array_equal(vectors(workdir)[200], vectors(alone)[0])
    count = len(set(texts))
    assert (first.facts["texts"], first.facts["texts_reused"]) == (count, 0)
    assert (result.facts["texts"], result.facts["texts_reused"]) == (count + 1, count)
    # What is told of the tokens is what a run without any reuse tells.
    again = embed(options(), workdir=workdir, force=True)
    assert again.facts == {**result.facts, "texts_reused": 0}
    np.testing.assert_allclose(vectors(workdir)[:200], before, atol=1e-5)


def test_texts_move_between_items_and_views(sentences, make_items, options, encoded) -> None:
    texts = sentences(40)
    workdir = make_items({"title": texts, "brand": [*sentences(20, 1), *[None] * 20]})
    embed(options(), workdir=workdir)
    before, brands = vectors(workdir), vectors(workdir, "brand")
    encoded.clear()
    brand = sentences(20, 1)
    rewrite(workdir, {"title": [None, brand[3], *texts[::-1]], "words": [texts[5], "new", *brand, *[" "] * 20]})
    embed(options(), workdir=workdir)
    assert encoded == ["new"]
    title = vectors(workdir)
    np.testing.assert_array_equal(title[2:], before[::-1])
    np.testing.assert_array_equal(title[1], brands[3])
    words = read_table(workdir / names.EMBEDDINGS)["words"]
    assert [value is None for value in words.to_pylist()] == [False] * 22 + [True] * 20
    np.testing.assert_array_equal(vectors(workdir, "words")[0], before[5])


def test_nothing_new_and_night_after_night(sentences, make_items, options, encoded) -> None:
    texts = sentences(60)
    workdir = make_items({"title": texts})
    embed(options(), workdir=workdir)
    first = vectors(workdir)
    for night in range(3):
        encoded.clear()
        new = [f"night {night} word {n}" for n in range(night)]  # the first night brings nothing new
        texts = [*texts, *new]
        rewrite(workdir, {"title": texts, "other": texts[::-1]})
        embed(options(), workdir=workdir)
        assert sorted(encoded) == sorted(new)
        np.testing.assert_array_equal(vectors(workdir)[:60], first)
    assert len(list((workdir / ".cocorec").glob("embedded-*"))) == 1


@pytest.mark.parametrize(
    "changed", [{"normalize": True}, {"max_tokens": 8}, {"prompt": "the "}, {"precision": "bfloat16"}]
)
def test_other_options_encode_everything(sentences, make_items, options, encoded, changed) -> None:
    texts = sentences(30)
    workdir = make_items({"title": texts})
    embed(options(), workdir=workdir)
    encoded.clear()
    result = embed(options(**changed), workdir=workdir)
    assert sorted(encoded) == sorted(set(texts))
    assert result.facts["texts_reused"] == 0


def test_another_model_of_the_same_name(sentences, make_items, options, encoded, tiny_model, tmp_path) -> None:
    from safetensors.numpy import load_file, save_file

    workdir = make_items({"title": sentences(30)})
    embed(options(), workdir=workdir)
    model = shutil.copytree(tiny_model, tmp_path / "other" / tiny_model.name)
    weights = load_file(model / "model.safetensors")
    save_file({k: v * 1.5 for k, v in weights.items()}, model / "model.safetensors", metadata={"format": "pt"})
    assert embed(options(model=str(model)), workdir=workdir).facts["texts_reused"] == 0


def test_other_batches_touch_rounding_alone_and_reuse(sentences, make_items, options) -> None:
    texts = sentences(50)
    workdir = make_items({"title": texts})
    embed(options(), workdir=workdir)
    before = vectors(workdir)
    rewrite(workdir, {"title": [*texts, "new"]})
    embed(options(batch_tokens=4096), workdir=workdir)
    np.testing.assert_array_equal(vectors(workdir)[:50], before)


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove", "another"])
def test_what_is_kept_is_used_whole_or_not_at_all(sentences, make_items, options, encoded, damage) -> None:
    texts = sentences(30)
    workdir = make_items({"title": texts})
    embed(options(), workdir=workdir)
    [path] = (workdir / ".cocorec").glob("embedded-*")
    content = bytearray(path.read_bytes())
    content[-9] ^= 4
    if damage == "flip":
        path.write_bytes(content)
    elif damage == "truncate":
        path.write_bytes(content[:-7])
    elif damage == "remove":
        path.unlink()
    else:  # of another catalogue, under this one's name
        other = make_items({"title": texts[::-1]}, "other")
        embed(options(), workdir=other)
        [theirs] = (other / ".cocorec").glob("embedded-*")
        theirs.rename(path)
    encoded.clear()
    rewrite(workdir, {"title": [*texts, "new"]})
    result = embed(options(), workdir=workdir)
    assert result.facts["texts_reused"] == 0
    assert len(encoded) == result.facts["texts"]


def test_damaged_embeddings_are_made_anew(sentences, make_items, options, encoded) -> None:
    texts = sentences(30)
    workdir = make_items({"title": texts})
    embed(options(), workdir=workdir)
    content = bytearray((workdir / names.EMBEDDINGS).read_bytes())
    content[500] ^= 1
    (workdir / names.EMBEDDINGS).write_bytes(content)
    encoded.clear()
    rewrite(workdir, {"title": [*texts, "new"]})
    assert embed(options(), workdir=workdir).facts["texts_reused"] == 0
    assert len(encoded) == len({*texts, "new"})


def test_vectors_of_another_work_directory(sentences, make_items, options, encoded) -> None:
    texts = sentences(30)
    yesterday = make_items({"title": texts}, "yesterday")
    embed(options(), workdir=yesterday)
    today = make_items({"title": [*texts, "new"]}, "today")
    encoded.clear()
    embed(options(reuse=yesterday), workdir=today)
    assert encoded == ["new"]
    np.testing.assert_array_equal(vectors(today)[:30], vectors(yesterday))
    assert embed(options(), workdir=today).skipped


def test_a_folder_to_reuse_that_gives_nothing_is_told(sentences, make_items, options, tmp_path, caplog) -> None:
    today, empty = make_items({"title": sentences(3)}, "today"), tmp_path / "empty"
    with pytest.raises(UsageError, match="empty is no folder"):
        embed(options(reuse=empty), workdir=today)
    empty.mkdir()
    assert embed(options(reuse=empty), workdir=today).facts["texts_reused"] == 0
    assert "empty has no undamaged vectors of this model and these options: all texts are encoded" in caplog.text
    with pytest.raises(UsageError, match="--reuse keeps vectors, --force encodes all texts again"):
        embed(options(reuse=empty), workdir=today, force=True)


def test_an_interrupted_run_with_reuse_ends_with_the_same_bytes(sentences, make_items, options, monkeypatch) -> None:
    texts, new = sentences(60), [f"word {n} of a new text" for n in range(40)]
    folders = [make_items({"title": texts}, name) for name in ("one", "two")]
    for folder in folders:
        embed(options(), workdir=folder)
        rewrite(folder, {"title": [*texts, *new]})
    monkeypatch.setattr("stages.embed.batches.CHUNK_TOKENS", 64)
    embed(options(), workdir=folders[0])
    calls = 0
    encode = Encoder.encode

    def stopped(self: Encoder, some: list[str]) -> object:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt
        return encode(self, some)

    with monkeypatch.context() as patched:
        patched.setattr(Encoder, "encode", stopped)
        with pytest.raises(KeyboardInterrupt):
            embed(options(), workdir=folders[1])
    embed(options(), workdir=folders[1])
    contents = [(folder / names.EMBEDDINGS).read_bytes() for folder in folders]
    assert contents[0] == contents[1]
    lineage = read_lineage(folders[0] / names.EMBEDDINGS)
    assert lineage and lineage.facts["texts_reused"] == len(set(texts))


def test_a_bit_that_turns_in_the_temporary_file_is_found(sentences, make_items, options, tmp_path) -> None:
    workdir = make_items({"title": sentences(30)})
    embed(options(), workdir=workdir)
    rows = np.arange(30)
    earlier = Earlier(workdir / names.EMBEDDINGS, 32, ("title",), rows, rows, np.zeros(30, np.int64), rows)
    with ReusedVectors(earlier, rows, tmp_path / "kept") as reused:
        np.testing.assert_array_equal(reused.gather(rows), vectors(workdir))
        byte = os.pread(reused._file.fileno(), 1, 7 * 128)
        os.pwrite(reused._file.fileno(), bytes([byte[0] ^ 1]), 7 * 128)
        with pytest.raises(DataError, match="cannot be read back"):
            reused.gather(rows)
