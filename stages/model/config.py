"""What has to be known to build a model: its name, its sizes and the shape of its inputs; saved as ``config.json``."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from stages.artifacts.errors import DataError, UsageError
from stages.frame.options import MAX_COUNT
from stages.model.registry import BACKBONES, MODELS, require_known

_RENAMED = {"kind": "model", "text_dimension": "text_dim", "id_dropout": "new_item_rate"}
"""Names of attributes in files of version 0.1, and what they are called now."""

_ADDED_SINCE_0_2 = {
    "new_item_rate": 0.0,
    "cooccurrence_bias": False,
    "cooccurrence_items": 5,
    "cooccurrence_partners": 100,
    "calibrate": False,
}
"""Attributes that files of version 0.2.0 lack, and what its models count as."""

_SIZES = ("layers", "ffn_dim", "fusion_ffn_dim", "experts", "max_history", "dim")
_AT_LEAST_ONE = (*_SIZES, "cooccurrence_items", "cooccurrence_partners")

_ADDED = {"backbone": "transformer", "experts": 8}
"""Attributes that files of version 0.1 lack, and what its models, which had no such choice, count as."""


def require_divisors(dim: int, *, heads: int, fusion_heads: int) -> None:
    """Refuse numbers of heads that do not share the width out evenly.

    Args:
        dim: d.
        heads: of the backbone.
        fusion_heads: of the fusion layers; 1 where there are none.

    Raises:
        UsageError: naming the option.
    """
    for count, option in ((heads, "--heads"), (fusion_heads, "--fusion-heads")):
        if count < 1 or dim % count:
            raise UsageError(f"{option} {count} does not divide --dim {dim}", "Choose a divisor of --dim.")


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Sizes of a model. There are no defaults here: those of a run are declared with the options of ``train``.

    Attributes:
        model: its name in :data:`stages.model.registry.MODELS`.
        items: N, the size of the catalogue.
        views: M, text views per item.
        codes: C, semantic codes per item.
        codebook_size: K, values per code.
        text_dim: t, width of the whitened view vectors.
        backbone: name of the network that reads histories, in :data:`stages.model.registry.BACKBONES`.
        dim: d, the model's width.
        layers: layers of the backbone.
        heads: attention heads of the backbone.
        ffn_dim: hidden width of the backbone's feed-forward part.
        fusion_layers: layers of the code-guided fusion.
        fusion_heads: attention heads of the fusion.
        fusion_ffn_dim: hidden width of the fusion's feed-forward part.
        experts: G, experts of the mixture in ``unisrec``.
        max_history: longest history, in items.
        dropout: dropout probability of the backbone.
        fusion_dropout: dropout probability of the item encoder.
        learnable_mask: [MASK] is trained as an input; ``False`` as in the authors' code, where it never is.
        repeat_bias: items of the history rank higher or lower by what training shows; ``False`` as in the paper.
        text_residual: the texts reach an item's vector directly too; ``False`` as in the paper.
        with_ids: a free vector per item beside its texts or codes; ``False`` as in the paper.
        new_item_rate: probability that a step of training treats an item as if it came later.
        cooccurrence_bias: candidates rank higher that often stood near the last items; ``False`` as in the paper.
        cooccurrence_items: how many of the last items that asks.
        cooccurrence_partners: most partners that an item keeps for it.
        calibrate: how much counts and texts weigh is chosen on validation; ``False`` as in the paper.
    """

    model: str
    items: int
    views: int
    codes: int
    codebook_size: int
    text_dim: int
    backbone: str
    dim: int
    layers: int
    heads: int
    ffn_dim: int
    fusion_layers: int
    fusion_heads: int
    fusion_ffn_dim: int
    experts: int
    max_history: int
    dropout: float
    fusion_dropout: float
    learnable_mask: bool
    repeat_bias: bool
    text_residual: bool
    with_ids: bool
    new_item_rate: float
    cooccurrence_bias: bool
    cooccurrence_items: int
    cooccurrence_partners: int
    calibrate: bool

    def __post_init__(self) -> None:
        """Refuse sizes that fit no model.

        Raises:
            UsageError: naming the option.
        """
        require_known("--model", self.model, MODELS)
        require_known("--backbone", self.backbone, BACKBONES)
        require_divisors(self.dim, heads=self.heads, fusion_heads=self.fusion_heads if self.fusion_layers else 1)
        rates = ("dropout", "fusion_dropout", "new_item_rate")
        for value, option in ((getattr(self, name), "--" + name.replace("_", "-")) for name in rates):
            if not 0 <= value < 1:
                raise UsageError(f"{option} {value} is not within 0..1", "A usual value is 0.3.")
        for name in (
            "layers",
            "ffn_dim",
            "fusion_ffn_dim",
            "experts",
            "max_history",
            "dim",
            "cooccurrence_items",
            "cooccurrence_partners",
        ):
            if getattr(self, name) < 1:
                raise UsageError(f"--{name.replace('_', '-')} must be at least 1, is {getattr(self, name)}")

    def to_dict(self) -> dict[str, Any]:
        """All attributes as JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], path: Path) -> "ModelConfig":
        """Read what :meth:`to_dict` gave, now or in version 0.1, from the file at ``path``.

        Raises:
            DataError: when a value is missing or unknown.
        """
        try:
            named = {_RENAMED.get(name, name): value for name, value in values.items()}
            named = _ADDED_SINCE_0_2 | (_ADDED | named if "kind" in values else named)
            _check_types(cls, named)
            return cls(**named)
        except (TypeError, UsageError) as error:
            raise DataError(
                f"{path}: not the configuration of a model this version knows ({error})",
                "Train again with `cocorec train --force`, or use the version of cocorec that trained it.",
            ) from error


def _check_types(known: type[ModelConfig], values: Mapping[str, Any]) -> None:
    """Refuse values of another type than the attribute's, and sizes below 0.

    Raises:
        TypeError: naming the attribute.
    """
    for field in fields(known):
        if field.name not in values:
            continue
        value = values[field.name]
        if type(value) is not field.type and not (field.type is float and type(value) is int):
            raise TypeError(f"{field.name} is of type {type(value).__name__}")
        if field.type is int and not 0 <= value <= MAX_COUNT:
            raise TypeError(f"{field.name} is not within 0..{MAX_COUNT}")
