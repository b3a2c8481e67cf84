"""Which items a model was trained on, and whether those that are there now are the same, or the same and more."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stages.artifacts.errors import DataError
from stages.artifacts.items import count_items, ids_fingerprint
from stages.artifacts.lineage import RAW, read_lineage
from stages.artifacts.names import CODES, EMBEDDINGS, ITEMS
from stages.artifacts.vectors import codebooks_of, embedding_views

_DECIDING = ("max_tokens", "model", "normalize", "prompt")
"""Options of ``embed`` that decide what a vector means; the precision only touches its rounding."""


@dataclass(frozen=True)
class TrainedItems:
    """What makes items the same to a model; saved with it. What is not known is ``None``, and taken on trust.

    Attributes:
        ids: fingerprint of the items' ids in the order of their numbers.
        views: names of the text views in their order; ``None`` for models without texts.
        encoder: fingerprint of what made the text vectors.
        codebooks: fingerprint of what the items were coded with.
    """

    ids: str | None = None
    views: tuple[str, ...] | None = None
    encoder: str | None = None
    codebooks: str | None = None

    @classmethod
    def read(cls, workdir: Path, files: Collection[str], items: int) -> "TrainedItems":
        """Of the first ``items`` items of a work directory, as far as the model reads ``files``.

        Raises:
            DataError: when a file is missing or damaged.
        """
        workdir = Path(workdir)
        texts, codes = workdir / EMBEDDINGS, workdir / CODES
        return cls(
            ids=ids_fingerprint(workdir / ITEMS, items) if (workdir / ITEMS).exists() else None,
            views=tuple(embedding_views(texts)) if EMBEDDINGS in files else None,
            encoder=_encoder(texts) if EMBEDDINGS in files else None,
            codebooks=codebooks_of(codes) if CODES in files else None,
        )

    def to_dict(self) -> dict[str, Any]:
        """All attributes as JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Any, path: Path) -> "TrainedItems":
        """Read what :meth:`to_dict` gave; nothing is known of models that earlier versions trained.

        Raises:
            DataError: when the values are of another kind.
        """
        found = {} if values is None else values
        if not isinstance(found, Mapping) or not cls._are_texts(found):
            raise DataError(
                f"{path}: what it says of the items is damaged", "Train again with `cocorec train --force`."
            )
        views = found.get("views")
        return cls(**{**found, "views": None if views is None else tuple(views)})

    @classmethod
    def _are_texts(cls, values: Mapping[str, Any]) -> bool:
        """Whether all values are texts or ``None``, ``views`` a list of texts."""
        views = values.get("views")
        if not isinstance(views, list | None) or not set(values) <= set(cls.__dataclass_fields__):
            return False
        texts = [*(views or ()), *(value for name, value in values.items() if name != "views")]
        return all(isinstance(text, str | None) for text in texts) and None not in (views or ())

    def require_same_inputs(self, other: "TrainedItems", what: str) -> None:
        """Refuse texts or codes that mean something else.

        Args:
            other: of the items that are there now.
            what: the model, as an error names it.

        Raises:
            DataError: naming what differs.
        """
        if self.views != other.views:
            raise DataError(
                f"{what} was trained on the views {_listed(self.views)}, {EMBEDDINGS} has {_listed(other.views)}",
                f"Run `cocorec embed --views {','.join(self.views or ())}`, or train again.",
            )
        if self.encoder != other.encoder:
            raise DataError(
                f"{what} was trained on text vectors of another encoder than made {EMBEDDINGS}",
                "Embed with the same --model, --max-tokens, --prompt and --normalize, or train again.",
            )
        if self.codebooks != other.codebooks:
            raise DataError(
                f"{what} was trained on codes of other codebooks than made {CODES}",
                "Code with the codebooks it knows (`cocorec quantize --codebooks FILE`), or train again.",
            )


def items_now(workdir: Path, files: Collection[str]) -> int:
    """How many items there are, from the footer of the first file that is there."""
    found = next(name for name in (ITEMS, *files) if (Path(workdir) / name).exists() or name != ITEMS)
    return count_items(Path(workdir) / found)


def _encoder(path: Path) -> str | None:
    """Of what made the vectors; ``None`` where another tool did."""
    lineage = read_lineage(path)
    if lineage is None:
        return None
    options = {name: lineage.options.get(name) for name in _DECIDING}
    models = sorted(fingerprint for name, fingerprint in lineage.inputs.items() if name.startswith(RAW))
    return "sha256:" + hashlib.sha256(json.dumps([options, models], sort_keys=True).encode()).hexdigest()


def _listed(views: tuple[str, ...] | None) -> str:
    return ", ".join(map(repr, views or ())) or "none"
