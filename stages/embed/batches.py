"""Batches of about equal work, and the chunks of batches after which an interrupted run continues."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Index = npt.NDArray[np.int64]

CHUNK_TOKENS = 32_768
"""A chunk ends at this many padded tokens: ten seconds or so of a small encoder on a CPU."""

_MAX_CHUNKS = 4_096
_MAX_ROWS = 2_048


@dataclass(frozen=True)
class BatchPlan:
    """In which order texts are encoded, and where batches and chunks begin; a function of the texts alone.

    Attributes:
        order: (n,) numbers of the texts to encode, longest first, equal lengths in the order of their digests.
        batches: starts of the batches in ``order``, ending with n.
        chunks: starts of the chunks in ``batches``, ending with the number of batches.
    """

    order: Index
    batches: Index
    chunks: Index

    @property
    def chunk_rows(self) -> Index:
        """Starts of the chunks in ``order``, ending with n."""
        return self.batches[self.chunks]


def plan_batches(
    digests: npt.NDArray[np.uint64], lengths: Index, batch_tokens: int, numbers: Index | None = None
) -> BatchPlan:
    """Order texts by length and cut them into batches and chunks.

    Args:
        digests: (n, 2) 128 bits that tell the texts apart.
        lengths: (n,) tokens of each that the encoder sees, at least 1.
        batch_tokens: tokens of a batch, padding included; a longer text gets a batch of its own.
        numbers: (n,) what the texts are called in the plan; 0 to n - 1 when ``None``.
    """
    order = np.lexsort((digests[:, 1], digests[:, 0], -lengths))
    batches, chunks, in_chunk = [0], [0], 0
    longest = lengths[order]
    chunk_tokens = max(CHUNK_TOKENS, int(lengths.sum()) // _MAX_CHUNKS)
    while batches[-1] < len(order):
        start = batches[-1]
        width = int(longest[start])
        rows = min(max(1, batch_tokens // width), _MAX_ROWS, len(order) - start)
        batches.append(start + rows)
        in_chunk += rows * width
        if in_chunk >= chunk_tokens or batches[-1] == len(order):
            chunks.append(len(batches) - 1)
            in_chunk = 0
    return BatchPlan(order if numbers is None else numbers[order], np.array(batches), np.array(chunks))
