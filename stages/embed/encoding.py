"""Encodes the distinct texts chunk by chunk; what an interrupted run has finished is kept."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from stages import __version__
from stages.embed.batches import BatchPlan, Index
from stages.embed.chunks import ChunkStore, Matrix
from stages.embed.encoder import Encoder
from stages.embed.source import Source
from stages.embed.texts import DistinctTexts
from stages.frame.reporter import Reporter
from stages.frame.run import StageRun

Batches = list[list[str]]
"""The texts of a chunk, batch by batch."""

Advance = Callable[[int], None]
"""Is told how many more texts are done."""


@dataclass(frozen=True)
class Work:
    """Chunks that are to be encoded.

    Attributes:
        plan: all chunks.
        chunks: numbers of those that are to be encoded.
        take: gives the texts of these numbers.
    """

    plan: BatchPlan
    chunks: Sequence[int]
    take: Callable[[Index], list[str]]

    @property
    def rows(self) -> int:
        """How many texts there are to encode."""
        return int(np.diff(self.plan.chunk_rows)[list(self.chunks)].sum())

    def batches(self, chunk: int) -> Batches:
        """The texts of a chunk."""
        bounds = self.plan.batches[self.plan.chunks[chunk] : self.plan.chunks[chunk + 1] + 1]
        return [self.take(self.plan.order[start:end]) for start, end in pairwise(bounds)]


Encode = Callable[[Work, Advance], Iterator[Matrix]]
"""Puts chunks into the store, and gives the vectors of each in their order."""

_TOKENIZED_AT_ONCE = 4_096


def chunks_key(source: Source, encoder: Encoder, run: StageRun, plan: BatchPlan, texts: DistinctTexts) -> str:
    """Of all that decides every byte of the vectors and the bounds of the chunks."""
    import sentence_transformers
    import torch

    bounds = plan.order.tobytes() + plan.batches.tobytes() + plan.chunks.tobytes()
    settings = {
        "batches": hashlib.sha256(bounds).hexdigest(),
        "device": [encoder.device.type, encoder.backend],
        "model": source.fingerprint,
        "options": {key: run.recorded[key] for key in ("max_tokens", "normalize", "truncate_dim")},
        "prompt": encoder.prompt,
        "precision": encoder.precision,
        "versions": [__version__, sentence_transformers.__version__, torch.__version__],
    }
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    digest.update(texts.digests[plan.order].tobytes())
    return digest.hexdigest()[:24]


def count_tokens(encoder: Encoder, texts: DistinctTexts, numbers: Index, reporter: Reporter) -> Index:
    """Tokens of texts (n,) by their numbers, before they are cut."""
    counts = np.empty(len(numbers), np.int64)
    with reporter.track("counting tokens", len(numbers), "texts") as advance:
        for start in range(0, len(numbers), _TOKENIZED_AT_ONCE):
            some = slice(start, start + _TOKENIZED_AT_ONCE)
            counts[some] = encoder.count_tokens(texts.take(numbers[some]))
            advance(len(numbers[some]))
    return counts


def encode_here(encoder: Encoder, store: ChunkStore) -> Encode:
    """Encode in this process."""

    def encode(work: Work, advance: Advance) -> Iterator[Matrix]:
        for chunk in work.chunks:
            parts = []
            for batch in work.batches(chunk):
                parts.append(encoder.encode(batch))
                advance(len(batch))
            vectors = np.concatenate(parts)
            store.write(chunk, vectors)
            yield vectors

    return encode


def encode(
    do: Encode, plan: BatchPlan, texts: DistinctTexts, store: ChunkStore, reporter: Reporter
) -> tuple[int, bool]:
    """Fill the store with the vectors of the planned texts.

    Args:
        do: encodes.
        plan: batches and chunks.
        texts: that are encoded.
        store: may hold what an interrupted run has finished.
        reporter: is told about progress.

    Returns:
        How many were encoded now, and whether all vectors are equal.
    """
    count, low, high = len(plan.order), None, None
    work = Work(plan, [chunk for chunk in range(len(store)) if store.read(chunk) is None], texts.take)
    missing, encoded = set(work.chunks), work.rows
    if kept := count - encoded:
        some = f"{kept:,} of {count:,}" if encoded else f"all {count:,}"
        reporter.info(f"continuing an interrupted run: {some} texts are kept")
    with reporter.track("encoding", count, "texts") as advance:
        made = do(work, advance)
        for chunk in range(len(store)):
            if chunk in missing:
                vectors = next(made)
            else:
                vectors = store.require(chunk)
                advance(len(vectors))
            bottom, top = vectors.min(axis=0), vectors.max(axis=0)
            low = bottom if low is None else np.minimum(low, bottom)
            high = top if high is None else np.maximum(high, top)
    spread = 0.0 if low is None or high is None else float(np.max(high - low) / max(1e-30, np.abs(high).max()))
    return encoded, count > 1 and spread < 1e-5
