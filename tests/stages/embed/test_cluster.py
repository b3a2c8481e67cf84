from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stages.embed.batches as batches
from stages.artifacts.names import EMBEDDINGS
from stages.artifacts.vectors import iterate_view
from stages.embed import EmbedOptions, embed


def test_actors_give_the_vectors_of_one_process(
    ray_cluster: Any,
    make_items: Callable[..., Path],
    sentences: Callable[..., list[str]],
    tiny_model: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batches, "CHUNK_TOKENS", 600)  # several chunks
    titles = [*sentences(200), None, *sentences(50)]
    results, vectors = [], []
    for engine in ("local", "ray"):
        workdir = make_items({"title": titles}, engine)
        # With two threads there is one actor: to load the libraries takes longest.
        options = EmbedOptions(model=str(tiny_model), batch_tokens=100, engine=engine, threads=2, device="cpu")
        results.append(embed(options, workdir=workdir))
        vectors.append(np.concatenate([made for made, _ in iterate_view(workdir / EMBEDDINGS, "title", 32)]))
    assert results[0].facts == results[1].facts
    np.testing.assert_allclose(vectors[1], vectors[0], rtol=1e-5, atol=1e-6)
    assert np.abs(vectors[0]).sum(axis=1).astype(bool).sum() == 250
