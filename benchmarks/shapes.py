"""Data of a given shape from a seed: histories with popular and rare items, codes, texts."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch

from stages.artifacts.sequences import Sequences
from stages.frame.options import defaults
from stages.model.catalogue import Catalogue
from stages.model.config import ModelConfig
from stages.model.masking import CodeMasking
from stages.model.objective import Objective
from stages.train.options import TrainOptions


@dataclass(frozen=True)
class Shape:
    """Sizes of a data set and of the model trained on it.

    Attributes:
        items: N.
        users: each with one item for validation and one for test behind the training items.
        rows_location, rows_scale: mean and deviation of the logarithm of a user's training rows (one row per prefix).
        views: M.
        levels: codes per view.
        dim: d; texts are whitened to it, feed-forward parts are four times as wide.
        batch_size: rows per step.
        negatives: items the reference samples per step.
        codebook_size: K.
        max_history: longest history.
    """

    items: int
    users: int
    rows_location: float
    rows_scale: float
    views: int
    levels: int
    dim: int
    batch_size: int
    negatives: int
    codebook_size: int = 256
    max_history: int = 20

    @property
    def codes(self) -> int:
        """C, codes per item."""
        return self.views * self.levels


SHAPES = {
    # Amazon 2018 Industrial and Scientific, 3 views: 4.1 rows a user, read to a mean length of 3.8.
    "scientific": Shape(4_385, 8_442, 1.05, 0.78, 3, 4, 64, 256, 3_900),
    # The paper's settings on a catalogue of Musical_Instruments' size.
    "paper": Shape(24_000, 8_442, 1.05, 0.78, 5, 4, 128, 400, 24_000),
    # Amazon 2023 Musical_Instruments: 397,000 rows, mean history 8.
    "musical": Shape(24_587, 57_439, 1.2, 1.15, 5, 4, 128, 400, 24_000),
}
"""Shapes by name."""


def make_sequences(shape: Shape, seed: int) -> Sequences:
    """Histories whose items are drawn with probability falling as 1 / rank, two items in a row never equal."""
    rng = np.random.default_rng((seed, 1))
    rows = np.rint(np.exp(rng.normal(shape.rows_location, shape.rows_scale, shape.users))).astype(np.int64)
    train = np.clip(rows, 2, 500) + 1
    offsets = np.concatenate([[0], np.cumsum(train + 2)])
    weights = np.cumsum(1 / np.arange(1, shape.items + 1))
    drawn = np.searchsorted(weights / weights[-1], rng.random(offsets[-1]))
    items = rng.permutation(shape.items)[np.minimum(drawn, shape.items - 1)]
    items[1:] = np.where(items[1:] == items[:-1], (items[1:] + 1) % shape.items, items[1:])
    return Sequences((items + 1).astype(np.int32), offsets, train, train + 1)


def make_catalogue(shape: Shape, seed: int) -> Catalogue:
    """Random codes and whitened texts."""
    draw = torch.Generator().manual_seed(seed)
    return Catalogue(
        shape.items,
        torch.randint(shape.codebook_size, (shape.items, shape.codes), generator=draw, dtype=torch.int32),
        shape.codebook_size,
        torch.randn(shape.items, shape.views, shape.dim, generator=draw),
        torch.ones(shape.items, shape.views, dtype=torch.bool),
        tuple(f"view{m}" for m in range(shape.views)),
    )


def make_config(shape: Shape) -> ModelConfig:
    """This toolkit's model of the shape, with the options of ``cocorec train`` at their defaults otherwise."""
    sizes = {
        "items": shape.items,
        "views": shape.views,
        "codes": shape.codes,
        "codebook_size": shape.codebook_size,
        "text_dim": shape.dim,
        "dim": shape.dim,
        "ffn_dim": 4 * shape.dim,
        "fusion_ffn_dim": 4 * shape.dim,
        "fusion_layers": 2,
        "max_history": shape.max_history,
    }
    return ModelConfig(**{**_defaults(ModelConfig), **sizes})


def make_objective(negatives: int) -> Objective:
    """The losses, with the options of ``cocorec train`` at their defaults otherwise."""
    masking = CodeMasking(_train_defaults()["mask_ratio"])
    return Objective(**{**_defaults(Objective), "negatives": negatives, "masking": masking})


def _defaults(of: type) -> dict[str, Any]:
    return {field.name: value for field in fields(of) if (value := _train_defaults().get(field.name)) is not None}


def _train_defaults() -> dict[str, Any]:
    return defaults(TrainOptions)
