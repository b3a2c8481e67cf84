from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.artifacts import names
from stages.embed.batches import BatchPlan
from stages.embed.chunks import ChunkStore
from stages.embed.encoder import Encoder
from stages.embed.encoding import Work, chunks_key, count_tokens, encode, encode_here
from stages.embed.options import EmbedOptions
from stages.embed.source import Source
from stages.embed.text_file import TextFile
from stages.embed.texts import DistinctTexts, collect
from stages.frame.run import StageRun

TITLES = ["saw", "red nail", "blue oak box", "the glue", "paper of sand"]
PLAN = BatchPlan(np.array([2, 4, 1, 3, 0]), np.array([0, 2, 4, 5]), np.array([0, 1, 3]))


@pytest.fixture(scope="module")
def encoder(tiny_model: Path) -> Encoder:
    return Encoder(tiny_model, "tiny", EmbedOptions(device="cpu"))


@pytest.fixture
def texts(make_items: Any, tmp_path: Path) -> Iterator[DistinctTexts]:
    with TextFile(tmp_path) as file:
        yield collect(make_items({"title": TITLES}) / names.ITEMS, ["title"], file)


def test_tokens_are_counted_by_the_numbers_of_the_texts(encoder: Encoder, texts, recorder) -> None:
    counts = count_tokens(encoder, texts, np.array([2, 0, 2]), recorder)
    np.testing.assert_array_equal(counts, [5, 3, 5])  # with the token before and the one after
    assert count_tokens(encoder, texts, np.zeros(0, np.int64), recorder).shape == (0,)


def test_vectors_are_those_of_the_texts_in_the_order_of_the_plan(encoder: Encoder, texts, recorder, tmp_path) -> None:
    store = ChunkStore(tmp_path, "key", PLAN.chunk_rows, encoder.dimension)
    assert encode(encode_here(encoder, store), PLAN, texts, store, recorder) == (5, False)
    expected = np.concatenate([encoder.encode([TITLES[number]]) for number in PLAN.order])
    np.testing.assert_allclose(store.gather(np.arange(5)), expected, atol=1e-5)
    assert recorder.infos == []


def test_finished_chunks_are_kept(encoder: Encoder, texts, recorder, tmp_path) -> None:
    store = ChunkStore(tmp_path, "key", PLAN.chunk_rows, encoder.dimension)
    store.write(0, np.ones((2, encoder.dimension), np.float32))
    assert encode(encode_here(encoder, store), PLAN, texts, store, recorder) == (3, False)
    np.testing.assert_array_equal(store.gather(np.arange(2)), 1)
    assert encode(encode_here(encoder, store), PLAN, texts, store, recorder) == (0, False)
    assert recorder.infos == [
        "continuing an interrupted run: 2 of 5 texts are kept",
        "continuing an interrupted run: all 5 texts are kept",
    ]


def test_work_is_the_chunks_that_are_missing(encoder: Encoder, texts, recorder, tmp_path) -> None:
    store = ChunkStore(tmp_path, "key", PLAN.chunk_rows, encoder.dimension)
    store.write(0, np.ones((2, encoder.dimension), np.float32))
    seen = []

    def do(work: Work, advance: Any) -> Iterator[Any]:
        seen.append((list(work.chunks), work.rows, [work.batches(chunk) for chunk in work.chunks]))
        return encode_here(encoder, store)(work, advance)

    encode(do, PLAN, texts, store, recorder)
    assert seen == [([1], 3, [[["red nail", "the glue"], ["saw"]]])]


def test_equal_vectors_are_noticed(encoder: Encoder, texts, recorder, tmp_path) -> None:
    rounding = 1 + 1e-7 * np.arange(5)[:, None]
    for name, spread, constant in (("rounded", rounding, True), ("different", 1 + 1e3 * (rounding - 1), False)):
        store = ChunkStore(tmp_path, name, PLAN.chunk_rows, encoder.dimension)
        vectors = np.full((5, encoder.dimension), 0.5, np.float32) * spread.astype(np.float32)
        store.write(0, vectors[:2])
        store.write(1, vectors[2:])
        assert encode(encode_here(encoder, store), PLAN, texts, store, recorder) == (0, constant)
    one = BatchPlan(PLAN.order[:1], np.array([0, 1]), np.array([0, 1]))
    store = ChunkStore(tmp_path, "one", one.chunk_rows, encoder.dimension)
    # A single text is equal to itself.
    assert encode(encode_here(encoder, store), one, texts, store, recorder) == (1, False)
    none = BatchPlan(PLAN.order[:0], np.array([0]), np.array([0]))
    store = ChunkStore(tmp_path, "none", none.chunk_rows, encoder.dimension)
    assert encode(encode_here(encoder, store), none, texts, store, recorder) == (0, False)


def test_the_key_is_of_what_decides_the_vectors(encoder: Encoder, texts, tiny_model: Path, tmp_path: Path) -> None:
    source = Source("tiny", tiny_model, "sha256:one", "folder")

    def key(of: Source = source, plan: BatchPlan = PLAN, held: DistinctTexts = texts, **changed: Any) -> str:
        return chunks_key(of, encoder, StageRun("embed", EmbedOptions(**changed), tmp_path, None), plan, held)

    found = [
        key(),
        key(replace(source, fingerprint="sha256:other")),
        key(plan=replace(PLAN, batches=np.array([0, 1, 4, 5]))),
        key(held=replace(texts, digests=texts.digests + np.uint64(1))),
        key(max_tokens=16),
        key(normalize=not EmbedOptions().normalize),
    ]
    assert len(set(found)) == len(found)
    assert key(replace(source, name="elsewhere", folder=tmp_path), batch_tokens=64) == found[0]
    assert len(found[0]) == 24
