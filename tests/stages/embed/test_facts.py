from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stages.artifacts import names
from stages.embed.encoder import Encoder
from stages.embed.facts import embedding_facts
from stages.embed.options import EmbedOptions
from stages.embed.source import Source
from stages.embed.text_file import TextFile
from stages.embed.texts import DistinctTexts, collect

VIEWS: dict[str, list[str | None]] = {
    "title": ["saw", "red nail of steel", "saw", None],
    "brand": ["oak", None, " ", "saw"],
}


@pytest.fixture
def texts(make_items: Any, tmp_path: Path) -> Iterator[DistinctTexts]:
    with TextFile(tmp_path) as file:
        yield collect(make_items(VIEWS) / names.ITEMS, list(VIEWS), file)


def test_views_are_counted_each_on_its_own(tiny_model: Path, texts: DistinctTexts) -> None:
    encoder = Encoder(tiny_model, "tiny", EmbedOptions(device="cpu", max_tokens=5, truncate_dim=7))
    tokens = np.array(encoder.count_tokens(texts.take(np.arange(3))))
    facts = embedding_facts(
        encoder, texts, list(VIEWS), tokens, Source("tiny", tiny_model, "sha256:one", "folder"), reused=2
    )
    assert facts == {
        "backend": "torch",
        "device": "cpu",
        "dimension": 7,
        "items": 4,
        "max_tokens": 5,
        "model": "tiny",
        "precision": "float32",
        "prompt": None,
        "texts": 3,
        "texts_reused": 2,
        "threads": torch.get_num_threads(),
        "views": [
            {"view": "title", "distinct_texts": 2, "items": 3, "mean_tokens": 4.5, "truncated_texts": 1},
            {"view": "brand", "distinct_texts": 2, "items": 2, "mean_tokens": 3.0, "truncated_texts": 0},
        ],
    }


def test_views_left_out_are_not_told_and_a_prompt_is(tiny_model: Path, texts: DistinctTexts) -> None:
    encoder = Encoder(tiny_model, "tiny", EmbedOptions(device="cpu", prompt="the "))
    source = Source("tiny", tiny_model, "sha256:one", "folder")
    facts = embedding_facts(encoder, texts, ["brand"], np.array([4, 48, 49]), source, reused=0)
    assert (facts["prompt"], facts["max_tokens"]) == ("the ", 48)
    [brand] = facts["views"]
    assert brand == {"view": "brand", "distinct_texts": 2, "items": 2, "mean_tokens": 26.5, "truncated_texts": 1}
