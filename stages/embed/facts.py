"""What a run of ``embed`` reports."""

from typing import Any

import numpy as np

from stages.embed.batches import Index
from stages.embed.encoder import Encoder
from stages.embed.source import Source
from stages.embed.texts import DistinctTexts, Numbers


def embedding_facts(
    encoder: Encoder, texts: DistinctTexts, views: list[str], tokens: Index, source: Source, *, reused: int
) -> dict[str, Any]:
    """The facts of a run, which is asked for while its threads are set.

    Args:
        encoder: that was used.
        texts: (T,) the distinct texts.
        views: those that hold a text.
        tokens: (T,) of each text, before it is cut.
        source: of the model.
        reused: how many texts kept the vector they had.
    """
    import torch

    return {
        "backend": encoder.backend,
        "device": encoder.device.type,
        "dimension": encoder.dimension,
        "items": len(texts.rows[views[0]]),
        "max_tokens": encoder.max_tokens,
        "model": source.name,
        "precision": encoder.precision,
        "prompt": encoder.prompt or None,
        "texts": len(texts),
        "texts_reused": reused,
        "threads": torch.get_num_threads(),
        "views": [{"view": view, **_view_facts(texts.rows[view], tokens, encoder)} for view in views],
    }


def _view_facts(rows: Numbers, tokens: Index, encoder: Encoder) -> dict[str, Any]:
    held = np.zeros(len(tokens), np.bool_)
    held[rows[rows >= 0]] = True
    counts = tokens[held]
    return {
        "distinct_texts": len(counts),
        "items": int((rows >= 0).sum()),
        "mean_tokens": round(float(counts.mean()), 2) if encoder.counts_tokens else None,
        "truncated_texts": int((counts > encoder.max_tokens).sum()) if encoder.max_tokens else 0,
    }
