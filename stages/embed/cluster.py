"""Encoding on a cluster: actors hold the model, the driver sends them the texts of a chunk and keeps its vectors."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from stages.embed.chunks import ChunkStore, Matrix
from stages.embed.encoder import Encoder
from stages.embed.encoding import Advance, Batches, Encode, Work
from stages.embed.options import EmbedOptions
from stages.embed.source import Source
from stages.frame.cluster import Cluster

PACKAGES = ("numpy", "sentence-transformers", "torch", "transformers")


def encode_on(cluster: Cluster, source: Source, options: EmbedOptions, store: ChunkStore) -> Encode:
    """Encode on a cluster, whose workers have to see the folder of the model.

    Raises:
        DataError: when one does not.
    """
    device = cluster.device(options.device)
    cluster.check_workers([source.folder], PACKAGES)
    arguments = (source.folder, source.name, replace(options, device=device))

    def encode(work: Work, advance: Advance) -> Iterator[Matrix]:
        jobs = ((work.batches(chunk),) for chunk in work.chunks)
        gpus = int(device.startswith("cuda"))
        made = cluster.share_out(make_encoder, arguments, jobs, processors=options.threads or 1, gpus=gpus)
        for chunk, vectors in zip(work.chunks, made, strict=True):
            advance(len(vectors))
            store.write(chunk, vectors)
            yield vectors

    return encode


def make_encoder(folder: Path, name: str, options: EmbedOptions) -> Callable[[Batches], Matrix]:
    """In an actor: load the model, and give what encodes the batches of a chunk."""
    import torch

    torch.set_num_threads(options.threads or 1)
    encoder = Encoder(folder, name, options)
    return lambda batches: np.concatenate([encoder.encode(batch) for batch in batches])
