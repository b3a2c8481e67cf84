"""What has to be known to build a model: its kind, its sizes and the shape of its inputs."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stages.artifacts.errors import DataError, UsageError

COUNTING = ("transitions", "popularity")
"""Kinds of models that count and learn nothing."""

KINDS = ("cocorec", "text", "codes", "sasrec", *COUNTING)


@dataclass(frozen=True)
class ModelConfig:
    """Sizes of a model; saved as ``config.json`` beside its weights.

    Attributes:
        kind: ``cocorec``, or the same backbone over less: ``text``, the texts alone; ``codes``, the codes alone;
            ``sasrec``, item numbers alone. Or a baseline that counts: ``transitions``, ``popularity``.
        items: N, the size of the catalogue.
        views: M, text views per item.
        codes: C, semantic codes per item.
        codebook_size: K, values per code.
        text_dimension: width of the whitened view vectors.
        dim: d, the model's width.
        layers: Transformer layers of the backbone.
        heads: attention heads of the backbone.
        ffn_dim: hidden width of the backbone's feed-forward part.
        fusion_layers: layers of the code-guided fusion.
        fusion_heads: attention heads of the fusion.
        fusion_ffn_dim: hidden width of the fusion's feed-forward part.
        max_history: longest history, in items.
        dropout: dropout probability of the backbone.
        fusion_dropout: dropout probability of the item encoder.
        learnable_mask: [MASK] is trained as an input; ``False`` as in the authors' code, where it never is.
        repeat_bias: see :class:`stages.model.repeats.RepeatBias`; ``False`` as in the paper.
        text_residual: the texts reach an item's vector directly too; ``False`` as in the paper.
        with_ids: a free vector per item beside its texts or codes; ``False`` as in the paper.
    """

    kind: str
    items: int
    views: int = 0
    codes: int = 0
    codebook_size: int = 0
    text_dimension: int = 0
    dim: int = 128
    layers: int = 2
    heads: int = 2
    ffn_dim: int = 512
    fusion_layers: int = 2
    fusion_heads: int = 2
    fusion_ffn_dim: int = 512
    max_history: int = 20
    dropout: float = 0.3
    fusion_dropout: float = 0.3
    learnable_mask: bool = True
    repeat_bias: bool = True
    text_residual: bool = True
    with_ids: bool = False

    def __post_init__(self) -> None:
        """Refuse sizes that fit no model.

        Raises:
            UsageError: naming the option.
        """
        if self.kind not in KINDS:
            raise UsageError(f"--model {self.kind!r} is unknown", f"Choose one of {', '.join(KINDS)}.")
        if self.with_ids and self.kind not in ("cocorec", "text", "codes"):
            raise UsageError(f"--with-ids is for models of texts or codes, not for {self.kind}", "Leave it out.")
        for heads, option in ((self.heads, "--heads"), (self.fusion_heads, "--fusion-heads")):
            if heads < 1 or self.dim % heads:
                raise UsageError(f"{option} {heads} does not divide --dim {self.dim}", "Choose a divisor of --dim.")
        for value, option in ((self.dropout, "--dropout"), (self.fusion_dropout, "--fusion-dropout")):
            if not 0 <= value < 1:
                raise UsageError(f"{option} {value} is not within 0..1", "A usual value is 0.3.")
        for name in ("layers", "fusion_layers", "ffn_dim", "fusion_ffn_dim", "max_history", "dim"):
            if getattr(self, name) < 1:
                raise UsageError(f"--{name.replace('_', '-')} must be at least 1, is {getattr(self, name)}")

    def to_dict(self) -> dict[str, Any]:
        """All attributes as JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], path: Path) -> "ModelConfig":
        """Read what :meth:`to_dict` gave from the file at ``path``.

        Raises:
            DataError: when a value is missing or unknown.
        """
        try:
            return cls(**json.loads(json.dumps(dict(values))))
        except (TypeError, UsageError) as error:
            raise DataError(
                f"{path}: not the configuration of a model this version knows ({error})",
                "Train again with `cocorec train --force`, or use the version of cocorec that trained it.",
            ) from error
