"""The method as research code has it, in plain torch: what this toolkit is measured against.

Written from the method's description, with torch's own layers. It does what a straightforward implementation does:
one row per prefix, histories padded to the longest and every padded position fused, each occurrence of an item fused
again, candidates and masks drawn in Python, every position scored against the whole code table, float32 throughout.
"""

import random
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.shapes import Shape
from stages.artifacts.sequences import Sequences

TEMPERATURE = 0.07
IGNORED = -100
"""Label of a position that does not count, as ``cross_entropy`` has it."""

Row = tuple[list[int], int]
"""A history and the item after it."""


class ReferenceModel(nn.Module):
    """Fusion and backbone.

    Args:
        shape: sizes.
        codes: (N, C) values 0..K-1.
        texts: (N, M, d) whitened view vectors.
        dropout: of the backbone.
        fusion_dropout: of the fusion.
    """

    rows: Tensor
    texts: Tensor

    def __init__(
        self, shape: Shape, codes: Tensor, texts: Tensor, dropout: float = 0.3, fusion_dropout: float = 0.1
    ) -> None:
        super().__init__()
        d, (n, c) = shape.dim, codes.shape
        self.table = nn.Embedding(1 + c * shape.codebook_size, d, padding_idx=0)
        self.fusion = nn.ModuleList(_layer(nn.TransformerDecoderLayer, d, fusion_dropout) for _ in range(2))
        self.position = nn.Embedding(shape.max_history, d)
        self.norm, self.dropout = nn.LayerNorm(d), nn.Dropout(dropout)
        self.backbone = nn.ModuleList(_layer(nn.TransformerEncoderLayer, d, dropout) for _ in range(2))
        rows = torch.zeros(n + 1, c, dtype=torch.long)
        rows[1:] = codes.long() + 1 + shape.codebook_size * torch.arange(c)
        self.register_buffer("rows", rows)
        self.register_buffer("texts", torch.cat([torch.zeros_like(texts[:1]), texts]))

    def fuse(self, items: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Items (n,) and rows of the code table (n, C): raw and fused codes, each (n, C, d)."""
        queries = self.table(rows)
        codes, texts = queries, self.texts[items]
        for layer in self.fusion:
            codes = layer(codes, texts)
        return queries, codes

    def read(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """Padded histories (B, L, d) and their lengths (B,): the output at the last item (B, d)."""
        length = vectors.shape[1]
        place = torch.arange(length, device=vectors.device)
        x: Tensor = self.dropout(self.norm(vectors + self.position(place)))
        future = torch.ones(length, length, dtype=torch.bool, device=x.device).triu(1)
        padding = place >= lengths[:, None]
        for layer in self.backbone:
            x = layer(x, src_mask=future, src_key_padding_mask=padding)
        return x[torch.arange(len(x), device=x.device), lengths - 1]

    def candidates(self, items: Tensor) -> Tensor:
        """Candidate vectors (n, d) of items (n,)."""
        queries, codes = self.fuse(items, self.rows[items])
        return codes.mean(1) + queries.mean(1)


def _layer(kind: type[nn.Module], d: int, dropout: float) -> nn.Module:
    return kind(d, 2, 4 * d, dropout, activation="gelu", batch_first=True)


@dataclass
class ReferenceStep:
    """A training step.

    Attributes:
        model: what is trained.
        shape: sizes.
        all_items: the catalogue, as a set.
        device: of the model.
        negatives: candidates drawn beside the targets.
        mcm_weight, msa_weight: of the losses beside the recommendation.
    """

    model: ReferenceModel
    shape: Shape
    all_items: set[int]
    device: torch.device
    negatives: int
    mcm_weight: float = 0.4
    msa_weight: float = 0.4

    def __post_init__(self) -> None:
        self._codes: list[list[int]] = self.model.rows.tolist()

    def __call__(self, batch: list[Row]) -> Tensor:
        """The loss of a batch."""
        model, longest = self.model, self.shape.max_history
        padded = [history + [0] * (longest - len(history)) for history, _ in batch]
        masked, labels = self._mask(padded)
        items = torch.tensor(padded, device=self.device)
        lengths = torch.tensor([len(history) for history, _ in batch], device=self.device)
        outputs = self._outputs(items, lengths, model.rows[items].flatten(0, 1))[0]

        drawn, goals = self._draw([target for _, target in batch])
        vectors = F.normalize(model.candidates(drawn), dim=-1)
        loss = F.cross_entropy(F.normalize(outputs, dim=-1) @ vectors.T / TEMPERATURE, goals)

        masked_outputs, codes = self._outputs(items, lengths, masked)
        scores = F.normalize(codes.flatten(0, 1), dim=-1) @ F.normalize(model.table.weight, dim=-1).T / TEMPERATURE
        loss = loss + self.mcm_weight * F.cross_entropy(scores, labels.flatten(), ignore_index=IGNORED)

        similar = F.normalize(outputs, dim=-1) @ F.normalize(masked_outputs, dim=-1).T / TEMPERATURE
        own = torch.arange(len(batch), device=self.device)
        return loss + self.msa_weight * (F.cross_entropy(similar, own) + F.cross_entropy(similar.T, own)) / 2

    def _outputs(self, items: Tensor, lengths: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        codes = self.model.fuse(items.flatten(), rows)[1]
        return self.model.read(codes.mean(1).unflatten(0, items.shape), lengths), codes

    def _draw(self, targets: list[int]) -> tuple[Tensor, Tensor]:
        distinct = sorted(set(targets))
        others = list(self.all_items - set(targets))
        drawn = distinct + random.sample(others, min(self.negatives, len(others)))
        place = {item: at for at, item in enumerate(distinct)}
        goals = [place[target] for target in targets]
        return torch.tensor(drawn, device=self.device), torch.tensor(goals, device=self.device)

    def _mask(self, padded: list[list[int]]) -> tuple[Tensor, Tensor]:
        """Masked rows of the code table and the true ones where they were chosen, each (B * L, C)."""
        masked, labels, last = [], [], self.model.table.num_embeddings - 1
        for history in padded:
            for item in history:
                row, label = list(self._codes[item]), [IGNORED] * self.shape.codes
                for j in range(self.shape.codes if item else 0):
                    if random.random() < 0.5:
                        label[j], draw = row[j], random.random()
                        row[j] = 0 if draw < 0.8 else random.randint(1, last) if draw < 0.9 else row[j]
                masked.append(row)
                labels.append(label)
        return torch.tensor(masked, device=self.device), torch.tensor(labels, device=self.device)


def prefix_rows(sequences: Sequences, longest: int) -> list[Row]:
    """One row per prefix of each user's training items."""
    rows = []
    for user in range(sequences.users):
        first = int(sequences.offsets[user])
        items = sequences.items[first : first + int(sequences.train_end[user])].tolist()
        rows += [(items[max(0, end - longest) : end], items[end]) for end in range(1, len(items))]
    return rows
